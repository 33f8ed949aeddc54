"""Types without a narrower description, under one name each."""

from typing import Any

Json = Any
"""A value as JSON, TOML and the cells of data files have it: text, number, flag, None, list or mapping."""
Record = dict[str, Json]
"""Such values by name."""
