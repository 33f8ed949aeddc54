"""Tasks: one file each, with how to read its data, encode it for a model, decode the answers and score them.

NumPy only. A task knows no framework and no model; it names the head that it needs.
"""
