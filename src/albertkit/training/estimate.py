"""How long a run may take, told before its first step from a few forward passes."""

import time
from collections.abc import Callable, Sequence

from albertkit.backends import Outputs
from albertkit.batches import Batch
from albertkit.config import AlbertConfig
from albertkit.pace import in_words
from albertkit.tools.summary import forward_flops

_STEP = 3
"""A step costs about as much as three forward passes: the backward pass takes two."""
_LONG = 1e14
"""Operations from which on a run is worth an estimate: a minute or more on the processors of today."""
_SLOW = 0.2
"""Seconds from which on a pass over _FEW tokens says how fast a machine is, or else a larger batch is asked."""
_FEW = 256
"""Tokens below which what a call costs, however few they are, is most of its time."""
_PATIENCE = 20.0
"""Seconds that a larger batch may take."""


def is_long(config: AlbertConfig, sample: Batch, tokens: int) -> bool:
    """Whether a run over so many tokens, in rows like those of `sample`, is worth an estimate."""
    length = sample.input_ids.shape[-1]
    return _STEP * forward_flops(config, length) / length * tokens > _LONG


def seconds_per_token(forward: Callable[[Batch], Outputs], samples: Sequence[Batch]) -> float:
    """The time of a forward pass for each token, of the first of `samples` that is slow enough to be timed.

    Small ones come first; of a few tokens it is that of the next, unless it would take too long.
    """
    seconds, tokens = 0.0, 0
    for batch in samples:
        if tokens and seconds / tokens * batch.tokens > _PATIENCE:
            break
        for _ in range(2):  # the first may have to compile
            started = time.perf_counter()
            forward(batch)
            seconds, tokens = time.perf_counter() - started, max(batch.tokens, 1)
            if seconds > 10 * _SLOW and batch is samples[0]:
                break
        if seconds > _SLOW and tokens >= _FEW:
            break
    return seconds / max(tokens, 1)


def in_a_sentence(seconds_per_token: float, step_tokens: int, tokens: int) -> str:
    """What a person is told: of a step, and of all that is left."""
    step, whole = (_STEP * seconds_per_token * count for count in (step_tokens, tokens))
    return (
        f"An estimate from a short measurement: {in_words(whole)} in all, {step:,.1f} s a step, without evaluations. "
        "It can be off by a factor of two."
    )
