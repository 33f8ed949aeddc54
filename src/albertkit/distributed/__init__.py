"""The same work on a Ray cluster. Nothing else knows Ray, and it is imported when it is asked for.

cluster     a cluster that is there, or one of this machine for as long as it is needed
actors      an ordered map of blocks that this process reads, by actors
datasets    an ordered map of blocks that the cluster reads, by Ray Data
training    several processes of one run, by Ray Train
"""
