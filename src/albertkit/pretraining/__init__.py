"""Text to what a model is pre-trained on: documents, sentences, shards of ids, sequences, masks. NumPy only."""
