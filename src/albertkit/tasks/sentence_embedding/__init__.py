"""Sentence embedding: a vector for a text, close to those of texts that mean the same."""
