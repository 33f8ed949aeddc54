"""LiteRT, formerly TensorFlow Lite: a file for phones and small computers, converted from a SavedModel."""
