"""A corpus to what a model is pre-trained on: segments of text, masked words, batches. NumPy only."""
