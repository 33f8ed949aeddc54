"""The guard against loss spikes: which steps are skipped, and when a run has to stop."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

NORMS = 100
"""Steps whose gradient norms say what a usual one is."""
RESTART = "Begin again, from a checkpoint or from nothing, with a smaller learning rate, a longer warm-up, or fp32."
"""What helps a run that fails by its numbers, for most of its recipe may not change."""


@dataclass
class SpikeHistory:
    """What the guard remembers of a run; a checkpoint keeps it."""

    norms: list[float] = field(default_factory=list)
    """Gradient norms of the last `NORMS` steps that were taken."""
    skipped: int = 0
    skipped_in_a_row: int = 0


@dataclass(frozen=True)
class Skipped:
    """A step that was skipped: its numbers in words, and what helps where that happens too often in a row."""

    numbers: str
    rule: str
    way_out: str
    is_too_many: bool


@dataclass(frozen=True)
class LossSpikeGuard:
    """Skips a step whose gradient norm is above `factor` times the median of the last ones, or is not finite.

    One bad batch can otherwise throw a long run off (PaLM, arXiv 2204.02311, section 5.1, skips such batches too). With
    `factor` 0 only numbers that are not finite count. More than `max_skipped` steps in a row are too many.
    """

    factor: float
    max_skipped: int
    history: SpikeHistory

    def limit(self) -> float:
        """The gradient norm above which a step is skipped; infinite as long as too little is known."""
        norms = self.history.norms
        return self.factor * statistics.median(norms) if self.factor and len(norms) == NORMS else math.inf

    def check(self, record: Mapping[str, float], limit: float) -> Skipped | None:
        """Count a step by its losses and `gradient_norm`, which had this limit. None where it was taken."""
        history, norm = self.history, record["gradient_norm"]
        is_finite = all(np.isfinite(value) for value in record.values())
        if is_finite and norm <= limit:
            history.skipped_in_a_row = 0
            if self.factor:
                history.norms = [*history.norms[1 - NORMS :], norm]
            return None
        history.skipped += 1
        history.skipped_in_a_row += 1
        numbers = ", ".join(f"{name} {value:.6g}" for name, value in record.items())
        rule, way_out = "Loss and gradient must stay finite", RESTART
        if is_finite:
            numbers += f" where {limit / self.factor:.3g} is usual"
            rule = "The gradient must not leap"
            way_out = f"{RESTART} If it stays so large, go on with `training.loss_spike_factor` 0."
        return Skipped(numbers, rule, way_out, history.skipped_in_a_row > self.max_skipped)
