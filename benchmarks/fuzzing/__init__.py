"""What benchmarks/fuzz.py is made of: damage, the files it is done to, and what a person then does with them.

damage      how bytes, JSON and places in a folder are mutated
framing     damage inside a file that keeps its checksums right, and what a file says of itself
folders     small models, one a kind of file
kinds       which files are mutated, and when an answer may change
journeys    what a person does with a folder
cases       one mutation from the folder to the outcome
workers     cases in processes that may hang or die
texts       random strings through the tokenizers
kills       saves that are killed
"""
