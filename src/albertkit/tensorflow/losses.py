"""The losses of the heads in TensorFlow. All give a float32 scalar, or None where there are no labels.

Letters: B batch, L sequence length, C classes, S sentences of a row, H hidden size.
"""

from collections.abc import Callable

import tensorflow as tf

from albertkit import rules
from albertkit.tensorflow.layers import can_inspect
from albertkit.tensorflow.typing import Tensor


def cross_entropy(logits: Tensor, labels: Tensor | None, name: str = "labels") -> Tensor | None:
    """Mean cross entropy of (..., C) logits over the integer labels (...) that are not -100.

    InputError for labels of another shape, and for a class outside 0..C-1 wherever the values can be seen; `name` is
    what the labels are called there.
    """
    if labels is None:
        return None
    _check_shape(name, labels, logits.shape[:-1])
    _check_labels(name, labels, logits.shape[-1])
    return _mean_loss(logits, labels, rules.IGNORED)


def classification_loss(logits: Tensor, labels: Tensor | None, problem_type: str | None) -> Tensor | None:
    """The loss of (B, C) logits for the kind of problem that `config.problem_type` names, or else the labels show.

    Cross entropy for (B,) classes, binary cross entropy for (B, C) zeros and ones, and the mean squared error for (B,)
    or (B, C) numbers. InputError for labels of another shape.
    """
    if labels is None:
        return None
    kind = rules.problem_type(problem_type, logits.shape[-1], labels.dtype.is_integer)
    if kind == "single_label_classification":
        return cross_entropy(logits, labels)
    _check_shape("labels", labels, logits.shape)
    logits, labels = (tf.reshape(tf.cast(values, tf.float32), (-1,)) for values in (logits, labels))
    if kind == "regression":
        return tf.reduce_mean(tf.square(logits - labels))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def similarity_loss(embeddings: Tensor, labels: Tensor | None, temperature: float) -> Tensor | None:
    """The loss of (B, S, H) embeddings of rows of S sentences: an anchor, its positive, and maybe hard negatives.

    Integer labels (B,): the cross entropy of each anchor's positive among the positives and hard negatives of the whole
    batch, by their cosines over `temperature` (SimCSE, arXiv 2104.08821, equations 1 and 5). Positives of two rows of
    one label are no negatives of each other. Other labels (B,): the mean squared error of the cosine of the two
    sentences. InputError for labels or rows that do not fit.
    """
    if labels is None:
        return None
    is_integer = labels.dtype.is_integer
    if embeddings.shape.is_fully_defined() and labels.shape.is_fully_defined():
        rules.require_sentences(tuple(embeddings.shape), tuple(labels.shape), is_integer)
    embeddings = tf.cast(embeddings, tf.float32)
    units = embeddings * tf.math.rsqrt(tf.reduce_sum(tf.square(embeddings), -1, keepdims=True) + rules.SMALLEST_NORM)
    anchors, others = units[:, 0], units[:, 1:]
    if not is_integer:
        return tf.reduce_mean(tf.square(tf.reduce_sum(anchors * others[:, 0], -1) - tf.cast(labels, tf.float32)))
    candidates = tf.reshape(tf.transpose(others, (1, 0, 2)), (-1, embeddings.shape[-1]))
    scores = tf.matmul(anchors, candidates, transpose_b=True) / temperature
    rows = tf.range(tf.shape(scores)[0])
    is_alike = (labels[:, None] == labels) & (rows[:, None] != rows)
    is_left_out = tf.pad(is_alike, ((0, 0), (0, tf.shape(scores)[1] - tf.shape(scores)[0])))
    scores = tf.where(is_left_out, scores.dtype.min, scores)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(rows, scores))


def summed_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The sum of the cross entropies of (..., C) logits and targets (..., C), which count as they are given."""
    return -tf.reduce_sum(tf.nn.log_softmax(tf.cast(logits, tf.float32)) * targets)


def span_loss(
    start_logits: Tensor, end_logits: Tensor, start_positions: Tensor | None, end_positions: Tensor | None
) -> Tensor | None:
    """The mean of the cross entropies of both ends: (B, L) logits each, and (B,) or (B, 1) integer positions.

    A position at L or beyond does not count, and a negative one counts as 0. None unless both positions are given.
    """
    if start_positions is None or end_positions is None:
        return None
    start_loss = _position_loss(start_logits, start_positions, "start_positions")
    return (start_loss + _position_loss(end_logits, end_positions, "end_positions")) / 2


def answer_loss(
    start_logits: Tensor,
    end_logits: Callable[[Tensor], Tensor],
    cls_logits: Tensor,
    start_positions: Tensor | None,
    end_positions: Tensor | None,
    is_impossible: Tensor | None,
) -> Tensor | None:
    """`span_loss`, with the ends given the true starts, and half of the binary cross entropy of there being no answer.

    `end_logits` gives the scores of ends (B, 1, L) for starts (B, 1). cls_logits (B,) are the log odds of there being
    no answer, and is_impossible (B,) zeros and ones; where it is None, there is none where one starts at 0. None unless
    both positions are given.
    """
    if start_positions is None or end_positions is None:
        return None
    ends = end_logits(tf.reshape(start_positions, (-1, 1)))[:, 0]
    span = span_loss(start_logits, ends, start_positions, end_positions)
    if is_impossible is None:
        is_impossible = start_positions <= 0
    _check_shape("is_impossible", is_impossible, cls_logits.shape)
    labels = tf.reshape(tf.cast(is_impossible, tf.float32), (-1,))
    nothing = tf.nn.sigmoid_cross_entropy_with_logits(labels, tf.cast(cls_logits, tf.float32))
    return total(span, tf.reduce_mean(nothing) / 2)


def total(*losses: Tensor | None) -> Tensor | None:
    """The sum of the losses that are there."""
    present = [loss for loss in losses if loss is not None]
    return sum(present[1:], present[0]) if present else None


def _check_shape(name: str, labels: Tensor, wanted: tf.TensorShape) -> None:
    """InputError for labels of another shape, unless a graph leaves it open."""
    if labels.shape.is_fully_defined() and wanted.is_fully_defined():
        rules.require_labels_array(name, tuple(labels.shape), tuple(wanted))


def _check_labels(name: str, labels: Tensor, classes: int) -> None:
    if not can_inspect(labels):
        return
    values = labels.numpy()
    counted = values[values != rules.IGNORED]
    if counted.size:
        rules.require_labels(name, int(counted.min()), int(counted.max()), classes)


def _position_loss(logits: Tensor, positions: Tensor, name: str) -> Tensor:
    _check_shape(name, positions, logits.shape[:-1])
    length = tf.shape(logits, tf.int64)[-1]
    return _mean_loss(logits, tf.clip_by_value(tf.cast(positions, tf.int64), 0, length), length)


def _mean_loss(logits: Tensor, labels: Tensor, ignored: Tensor | int) -> Tensor:
    logits = tf.cast(tf.reshape(logits, (-1, logits.shape[-1] or tf.shape(logits)[-1])), tf.float32)
    labels = tf.cast(tf.reshape(labels, (-1,)), tf.int64)
    counts = labels != tf.cast(ignored, tf.int64)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.where(counts, labels, 0), logits)
    return tf.reduce_sum(tf.where(counts, losses, 0)) / tf.reduce_sum(tf.cast(counts, tf.float32))
