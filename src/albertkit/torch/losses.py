"""The losses of the heads in PyTorch. All give a scalar, or None where there are no labels.

Letters: B batch, L sequence length, C classes, S sentences of a row, H hidden size.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from albertkit import rules
from albertkit.torch.layers import can_inspect


def cross_entropy(logits: Tensor, labels: Tensor | None, name: str = "labels") -> Tensor | None:
    """Mean cross entropy of (..., C) logits over the integer labels (...) that are not -100.

    InputError for labels of another shape, and for a class outside 0..C-1 wherever the values can be seen; `name` is
    what the labels are called there.
    """
    if labels is None:
        return None
    rules.require_labels_array(name, tuple(labels.shape), tuple(logits.shape[:-1]))
    _check_labels(name, labels, logits.shape[-1])
    return functional.cross_entropy(logits.flatten(0, -2), labels.flatten().long(), ignore_index=rules.IGNORED)


def classification_loss(logits: Tensor, labels: Tensor | None, problem_type: str | None) -> Tensor | None:
    """The loss of (B, C) logits for the kind of problem that `config.problem_type` names, or else the labels show.

    Cross entropy for (B,) classes, binary cross entropy for (B, C) zeros and ones, and the mean squared error for (B,)
    or (B, C) numbers. InputError for labels of another shape.
    """
    if labels is None:
        return None
    is_integer = not labels.is_floating_point() and labels.dtype != torch.bool
    kind = rules.problem_type(problem_type, logits.shape[-1], is_integer)
    if kind == "single_label_classification":
        return cross_entropy(logits, labels)
    rules.require_labels_array("labels", tuple(labels.shape), tuple(logits.shape))
    logits, labels = logits.flatten(), labels.flatten().to(logits.dtype)
    if kind == "regression":
        return functional.mse_loss(logits, labels)
    return functional.binary_cross_entropy_with_logits(logits, labels)


def similarity_loss(embeddings: Tensor, labels: Tensor | None, temperature: float) -> Tensor | None:
    """The loss of (B, S, H) embeddings of rows of S sentences: an anchor, its positive, and maybe hard negatives.

    Integer labels (B,): the cross entropy of each anchor's positive among the positives and hard negatives of the whole
    batch, by their cosines over `temperature` (SimCSE, arXiv 2104.08821, equations 1 and 5). Positives of two rows of
    one label are no negatives of each other. Other labels (B,): the mean squared error of the cosine of the two
    sentences. InputError for labels or rows that do not fit.
    """
    if labels is None:
        return None
    is_integer = not labels.is_floating_point()
    rules.require_sentences(tuple(embeddings.shape), tuple(labels.shape), is_integer)
    embeddings = embeddings.float()
    units = embeddings * torch.rsqrt(embeddings.square().sum(-1, keepdim=True) + rules.SMALLEST_NORM)
    anchors, others = units[:, 0], units[:, 1:]
    if not is_integer:
        return functional.mse_loss((anchors * others[:, 0]).sum(-1), labels.float())
    scores = anchors @ others.transpose(0, 1).flatten(0, 1).T / temperature
    rows = torch.arange(len(labels), device=labels.device)
    is_alike = (labels[:, None] == labels) & (rows[:, None] != rows)
    is_left_out = functional.pad(is_alike, (0, scores.shape[1] - len(labels)))
    return functional.cross_entropy(scores.masked_fill(is_left_out, float("-inf")), rows)


def summed_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The sum of the cross entropies of (..., C) logits and targets (..., C), which count as they are given."""
    return -(functional.log_softmax(logits.float(), dim=-1) * targets).sum()


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
    ends = end_logits(start_positions.reshape(-1, 1).long())[:, 0]
    span = span_loss(start_logits, ends, start_positions, end_positions)
    if is_impossible is None:
        is_impossible = start_positions <= 0
    rules.require_labels_array("is_impossible", tuple(is_impossible.shape), tuple(cls_logits.shape))
    logits = cls_logits.float()
    nothing = functional.binary_cross_entropy_with_logits(logits, is_impossible.flatten().to(logits.dtype))
    return total(span, nothing / 2)


def total(*losses: Tensor | None) -> Tensor | None:
    """The sum of the losses that are there."""
    present = [loss for loss in losses if loss is not None]
    return sum(present[1:], present[0]) if present else None


def _check_labels(name: str, labels: Tensor, classes: int) -> None:
    if not can_inspect(labels):
        return
    counted = labels[labels != rules.IGNORED]
    if counted.numel():
        rules.require_labels(name, int(counted.min()), int(counted.max()), classes)


def _position_loss(logits: Tensor, positions: Tensor, name: str) -> Tensor:
    length = logits.shape[-1]
    rules.require_labels_array(name, tuple(positions.shape), tuple(logits.shape[:-1]))
    return functional.cross_entropy(logits, positions.flatten().long().clamp(0, length), ignore_index=length)
