"""Files of any size through a model: cut into blocks, answered by processes, written so that a kill loses nothing.

sources     a file and how it is read: what a run is bound to
cutting     a file -> blocks of rows, from its beginning or from where a run was cut off
labelling   what is added to the rows that went in, and which of them are kept
columns     the columns of Parquet, known before the first row
outputs     rows -> bytes, for JSON lines and Parquet, and bytes -> files
answering   a block -> the bytes of its rows, by a model; pure: the same bytes whoever asks, and wherever
workers     the same in several processes, in order
limits      threads and caches of a process
totals      what is counted on the way
journal     what is finished: bytes first, then a line that says so
run         all of these together
"""
