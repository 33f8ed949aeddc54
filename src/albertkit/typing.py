"""Types without a narrower description, under one name each."""

from typing import Any

Json = Any
"""A value as JSON, TOML and the cells of data files have it: text, number, flag, None, list or mapping."""
Record = dict[str, Json]
"""Such values by name."""
Array = Any
"""An array or tensor of PyTorch, TensorFlow or JAX, in files that import none of them."""
Model = Any
"""A model, layer or device of PyTorch, TensorFlow or JAX, in files that import none of them."""
FieldValue = Any
"""What a field of a protocol buffer holds: int or bytes, which only the reader of its message knows."""
