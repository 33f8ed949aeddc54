"""The numbers of Muon, which the optimizers of all frameworks share.

Muon (K. Jordan and others 2024, https://kellerjordan.github.io/posts/muon/) changes a matrix by its momentum with all
singular values brought near 1: a few iterations of a polynomial in place of a decomposition. Embeddings, heads, biases
and norms go by AdamW, as its authors do it; `weight_table.is_hidden_matrix` says what is a matrix here.
"""

from collections.abc import Sequence

MOMENTUM = 0.95
"""Decay of the momentum of matrices, which looks one step ahead (Nesterov)."""
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""a, b, c of X <- aX + b(XX')X + c(XX')(XX')X, which takes singular values from 0 to 1 to between 0.7 and 1.2."""
ITERATIONS = 5
EPSILON = 1e-7
"""Added to the norm that a matrix is divided by before the iterations."""


def scale(shape: Sequence[int]) -> float:
    """What an orthogonal matrix of that shape is multiplied by, so that its elements are as large as AdamW's updates.

    So both may have one learning rate and one decay (J. Liu and others 2025, arXiv 2502.16982, section 2.2).
    """
    return 0.2 * max(shape) ** 0.5
