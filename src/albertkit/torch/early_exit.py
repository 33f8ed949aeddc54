"""What training needs so that a classifier may be read after any layer of the encoder."""

from collections.abc import Sequence

from torch import Tensor


def mean_by_depth(losses: Sequence[Tensor | None]) -> Tensor | None:
    """The mean of the losses after layers 1, 2, ..., weighted by these numbers; None where there are none.

    The deeper, the better an answer can be, and the more it counts (arXiv 2006.04152, section 3.3).
    """
    weighted = [depth * loss for depth, loss in enumerate(losses, start=1) if loss is not None]
    return sum(weighted[1:], weighted[0]) / sum(range(len(weighted) + 1)) if weighted else None
