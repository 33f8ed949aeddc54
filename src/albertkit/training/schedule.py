"""The learning rate: its course over the steps, and its scaling with the batch size."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """The learning rate by step: a linear warm-up to `peak`, then a decay to 0 at `steps`, or none.

    `shape` is linear, polynomial (the share of the steps left, to the power `power`), cosine or constant. The decay is
    counted from the end of the warm-up. With `decay_from_zero` it is counted from step 0, as in the original ALBERT,
    so that the rate drops as the warm-up ends: for the linear shape by the warm-up's share of the steps.
    """

    peak: float
    steps: int
    warmup: int
    shape: str = "linear"
    power: float = 1.0
    decay_from_zero: bool = False

    def __call__(self, step: int) -> float:
        """The rate of a step, counted from 0."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        start = 0 if self.decay_from_zero else self.warmup
        done = (step - start) / max(self.steps - start, 1)
        shares = {
            "linear": 1 - done,
            "polynomial": (1 - done) ** self.power,
            "cosine": (1 + math.cos(math.pi * done)) / 2,
            "constant": 1.0,
        }
        return self.peak * shares[self.shape]


def described_change(before: Schedule, after: Schedule) -> str:
    """What happens to the rate of a run that is extended, as a sentence."""
    last, following = before(before.steps - 1), after(before.steps)
    return (
        f"Extended from {before.steps:,} to {after.steps:,} steps. The learning rate is that of a run of so many: it "
        f"was {last:.2e} at last and goes on at {following:.2e}."
    )


def scaled_learning_rate(rate: float, batch_size: int, reference_batch_size: int) -> float:
    """The rate for another batch size than the one it was found for: in proportion to the root of the size.

    The rule of LAMB (arXiv 1904.00962, section 4), with which ALBERT's 0.00176 for 4096 sequences goes to other sizes.
    """
    return rate * math.sqrt(batch_size / reference_batch_size)
