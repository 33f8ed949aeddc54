"""The losses of the heads in JAX. All give a float32 scalar, or None where there are no labels.

Letters: B batch, L sequence length, C classes, S sentences of a row, H hidden size. What jit cannot see of labels that
do not fit gives NaN.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from albertkit import rules
from albertkit.flax.layers import can_inspect
from albertkit.flax.typing import ArrayInput


def cross_entropy(logits: Array, labels: ArrayInput | None, name: str = "labels") -> Array | None:
    """Mean cross entropy of (..., C) logits over the integer labels (...) that are not -100.

    InputError for labels of another shape, and for a class outside 0..C-1 wherever the values can be seen; `name` is
    what the labels are called there.
    """
    if labels is None:
        return None
    fitting = _fitting(name, labels, logits.shape[:-1])
    _check_labels(name, labels, logits.shape[-1])
    return _mean_loss(logits, fitting, rules.IGNORED)


def classification_loss(logits: Array, labels: ArrayInput | None, problem_type: str | None) -> Array | None:
    """The loss of (B, C) logits for the kind of problem that `config.problem_type` names, or else the labels show.

    Cross entropy for (B,) classes, binary cross entropy for (B, C) zeros and ones, and the mean squared error for (B,)
    or (B, C) numbers. InputError for labels of another shape.
    """
    if labels is None:
        return None
    labels, logits = jnp.asarray(labels), logits.astype(jnp.float32)
    kind = rules.problem_type(problem_type, logits.shape[-1], bool(jnp.issubdtype(labels.dtype, jnp.integer)))
    if kind == "single_label_classification":
        return cross_entropy(logits, labels)
    labels = _fitting("labels", labels, logits.shape).astype(logits.dtype)
    if kind == "regression":
        return jnp.square(logits - labels).mean()
    return optax.sigmoid_binary_cross_entropy(logits, labels).mean()


def similarity_loss(embeddings: Array, labels: ArrayInput | None, temperature: float) -> Array | None:
    """The loss of (B, S, H) embeddings of rows of S sentences: an anchor, its positive, and maybe hard negatives.

    Integer labels (B,): the cross entropy of each anchor's positive among the positives and hard negatives of the whole
    batch, by their cosines over `temperature` (SimCSE, arXiv 2104.08821, equations 1 and 5). Positives of two rows of
    one label are no negatives of each other. Other labels (B,): the mean squared error of the cosine of the two
    sentences. InputError for labels or rows that do not fit.
    """
    if labels is None:
        return None
    labels = jnp.asarray(labels)
    is_integer = bool(jnp.issubdtype(labels.dtype, jnp.integer))
    rules.require_sentences(embeddings.shape, labels.shape, is_integer)
    embeddings = embeddings.astype(jnp.float32)
    units = embeddings * jax.lax.rsqrt(jnp.square(embeddings).sum(-1, keepdims=True) + rules.SMALLEST_NORM)
    anchors, others = units[:, 0], units[:, 1:]
    if not is_integer:
        return jnp.square((anchors * others[:, 0]).sum(-1) - labels).mean()
    scores = anchors @ others.swapaxes(0, 1).reshape(-1, others.shape[-1]).T / temperature
    rows = jnp.arange(len(labels))
    is_alike = (labels[:, None] == labels) & (rows[:, None] != rows)
    is_left_out = jnp.pad(is_alike, ((0, 0), (0, scores.shape[1] - len(labels))))
    scores = jnp.where(is_left_out, -jnp.inf, scores)
    return optax.softmax_cross_entropy_with_integer_labels(scores, rows).mean()


def summed_cross_entropy(logits: Array, targets: ArrayInput) -> Array:
    """The sum of the cross entropies of (..., C) logits and targets (..., C), which count as they are given."""
    return -(jax.nn.log_softmax(logits.astype(jnp.float32)) * jnp.asarray(targets)).sum()


def span_loss(
    start_logits: Array,
    end_logits: Array,
    start_positions: ArrayInput | None,
    end_positions: ArrayInput | None,
    length: Array | int | None = None,
) -> Array | None:
    """The mean of the cross entropies of both ends: (B, L) logits each, and (B,) or (B, 1) integer positions.

    A position at `length`, a number or (B, 1), or beyond does not count, nor do the scores there, and a negative one
    counts as 0; `length` is L where it is None.
    None unless both positions are given.
    """
    if start_positions is None or end_positions is None:
        return None
    start_loss = _position_loss(start_logits, start_positions, "start_positions", length)
    return (start_loss + _position_loss(end_logits, end_positions, "end_positions", length)) / 2


def answer_loss(
    start_logits: Array,
    end_logits: Callable[[Array], Array],
    cls_logits: Array,
    start_positions: ArrayInput | None,
    end_positions: ArrayInput | None,
    is_impossible: ArrayInput | None,
    length: Array | int | None = None,
) -> Array | None:
    """`span_loss`, with the ends given the true starts, and half of the binary cross entropy of there being no answer.

    `end_logits` gives the scores of ends (B, 1, L) for starts (B, 1). cls_logits (B,) are the log odds of there being
    no answer, and is_impossible (B,) zeros and ones; where it is None, there is none where one starts at 0. None unless
    both positions are given.
    """
    if start_positions is None or end_positions is None:
        return None
    ends = end_logits(jnp.asarray(start_positions).reshape(-1, 1))[:, 0]
    span = span_loss(start_logits, ends, start_positions, end_positions, length)
    if is_impossible is None:
        is_impossible = jnp.asarray(start_positions) <= 0
    labels = _fitting("is_impossible", is_impossible, cls_logits.shape).astype(jnp.float32)
    nothing = optax.sigmoid_binary_cross_entropy(cls_logits.astype(jnp.float32), labels).mean()
    return total(span, nothing / 2)


def total(*losses: Array | None) -> Array | None:
    """The sum of the losses that are there."""
    present = [loss for loss in losses if loss is not None]
    return sum(present[1:], present[0]) if present else None


def _check_labels(name: str, labels: ArrayInput, classes: int) -> None:
    if not can_inspect(labels):
        return
    values = np.asarray(labels)
    counted = values[values != rules.IGNORED]
    if counted.size:
        rules.require_labels(name, int(counted.min()), int(counted.max()), classes)


def _fitting(name: str, labels: ArrayInput, shape: tuple[int, ...]) -> Array:
    """Labels in the shape of what they are compared with. InputError for others."""
    labels = jnp.asarray(labels)
    rules.require_labels_array(name, labels.shape, shape)
    return labels.reshape(shape)


def _position_loss(logits: Array, positions: ArrayInput, name: str, length: Array | int | None) -> Array:
    if length is None:
        length = logits.shape[-1]
    else:
        logits = jnp.where(jnp.arange(logits.shape[-1]) < length, logits, jnp.finfo(logits.dtype).min)
        length = jnp.broadcast_to(length, (*logits.shape[:-1], 1))[..., 0]
    return _mean_loss(logits, _fitting(name, positions, logits.shape[:-1]).clip(0, length), length)


def _mean_loss(logits: Array, labels: Array, ignored: Array | int) -> Array:
    labels = labels.astype(jnp.int32)
    counted = labels != ignored
    logits = logits.astype(jnp.float32)
    # A class below 0, which would count from the end, lies beyond it instead: that gives NaN.
    labels = jnp.where(labels < 0, logits.shape[-1], labels)
    chosen = jnp.take_along_axis(logits, jnp.where(counted, labels, 0)[..., None], axis=-1)[..., 0]
    losses = jax.nn.logsumexp(logits, axis=-1) - chosen
    return jnp.where(counted, losses, 0).sum() / counted.sum()
