"""What every task gives to a model and asks of its answers."""

from dataclasses import dataclass

import numpy as np

from albertkit.errors import InputError


@dataclass(frozen=True)
class Features:
    """Model inputs, one list a row and not padded yet."""

    input_ids: list[list[int]]
    token_type_ids: list[list[int]]
    truncated: int = 0
    """How many examples were cut to the longest input."""


def require_finite(logits: np.ndarray) -> None:
    """InputError where a row of (N, C) logits holds what is no number."""
    broken = int((~np.isfinite(logits)).any(axis=-1).sum())
    if broken:
        raise InputError(
            f"A model must answer with finite numbers. Received: others for {broken} of {len(logits)} answers. See "
            "what its weights hold with `albertkit info`, or take another checkpoint."
        )
