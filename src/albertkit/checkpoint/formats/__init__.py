"""Formats of other software, read and never written: old files, the original release, TensorFlow checkpoints."""
