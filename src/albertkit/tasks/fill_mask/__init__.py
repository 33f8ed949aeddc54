"""Masked language modelling: words for the gaps of a text, and training and scores on raw text."""
