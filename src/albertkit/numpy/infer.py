"""The forward pass in NumPy as a function of NumPy arrays. Answers alone: it trains nothing."""

import dataclasses
import logging

import numpy as np

from albertkit import weight_table
from albertkit.arrays import Tensors
from albertkit.backends import Forward, InferPrecision, Outputs, require_fp32
from albertkit.batches import MaskedBatch, PaddedBatch, require_valid
from albertkit.checkpoint import report
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.kernels import library
from albertkit.kernels.encoder import ACTIVATIONS, PANEL, can_run
from albertkit.numpy.encoder import Weights, encode
from albertkit.numpy.heads import HEADS, predictions
from albertkit.quantization import Quantization, per_token

logger = logging.getLogger(__name__)


def compile(
    config: AlbertConfig,
    head: str,
    tensors: Tensors,
    source: str = "the checkpoint",
    device: str | None = None,
    precision: InferPrecision | None = None,
    quantization: Quantization | None = None,
) -> Forward:
    """The forward of `Albert{head}` with the given weights.

    Its encoder is computed by the compiled library where that is there: then in any precision that the processor has,
    by default in int8 where `quantization` says what is known of it, and "auto" is the fastest. Else in float32. A
    `MaskedBatch` gives the `logits` (P, V) of a masked-language-model head at its positions and nowhere else.
    WeightMismatch where the head's weights are not among the tensors, InputError for another device or precision.
    """
    precision = _require_precision(precision, config, quantization)
    if device not in (None, "cpu"):
        raise InputError(f"NumPy computes on the cpu alone. Received: the device {device!r}. Leave it out.")
    expected, tied = weight_table.expected(config, head), weight_table.tied(config)
    found, told = report.fit(f"Albert{head}", expected, tied, tensors, source)
    told.require_complete()
    if precision == "int8":
        quantization = quantization or per_token(config)
    weights = Weights(config, found, precision, quantization if precision == "int8" else None)
    return lambda batch: forward(weights, head, batch)


def forward(weights: Weights, head: str, batch: PaddedBatch) -> Outputs:
    """The outputs of a head. TokenIdError for ids outside the vocabulary, InputError for rows that are too long."""
    require_valid(weights.config, batch)
    shape = batch.input_ids.shape
    if len(shape) == 3:  # rows of several sequences
        outputs = forward(weights, head, _flat(batch))
        return {name: values.reshape(*shape[:2], *values.shape[1:]) for name, values in outputs.items()}
    states = encode(weights, batch, _wanted(head, batch))
    if isinstance(batch, MaskedBatch):
        rows, columns = batch.positions.T
        return {"logits": predictions(weights, states[rows, columns])}
    return HEADS[head](weights, states, batch)


def _wanted(head: str, batch: PaddedBatch) -> np.ndarray | None:
    """(B, L) the tokens whose last hidden states are read by a head, None for all."""
    wanted = np.zeros(batch.input_ids.shape, bool)
    if isinstance(batch, MaskedBatch):
        wanted[tuple(batch.positions.T)] = True
    elif head in ("ForSequenceClassification", "ForMultipleChoice"):
        wanted[:, 0] = True
    else:
        return None
    return wanted


def _require_precision(
    name: InferPrecision | None, config: AlbertConfig, quantization: Quantization | None
) -> InferPrecision:
    """The precision of a name, or the usual one; "auto" the fastest in which the compiled library computes the encoder.

    InputError where it does not compute in it here.
    """
    known: dict[InferPrecision, Quantization | None] = {"int8": quantization or per_token(config), "bf16": None}
    offered: list[InferPrecision] = [one for one in known if can_run(config, one, known[one])]
    if name == "auto":
        chosen: InferPrecision = offered[0] if offered else "fp32"
        logger.warning(f"Answers are computed in {chosen}, the fastest precision of NumPy for this model here.")
        return chosen
    if name is None:
        return "int8" if quantization is not None and "int8" in offered else "fp32"
    if name != "fp32" and name not in offered:
        if name not in known or not library.has_precision(name):
            require_fp32(name, "NumPy on this processor")
        raise InputError(
            f"The compiled encoder computes widths that are multiples of {PANEL} with one of the activations "
            f"{', '.join(ACTIVATIONS)}, in int8 where all its products are. Received: {name} for a model that is "
            "not like that. Leave `precision` out for fp32, or choose the framework torch."
        )
    return name


def _flat(batch: PaddedBatch) -> PaddedBatch:
    """(B, C, L) -> (B * C, L)."""
    arrays = {name: array.reshape(-1, array.shape[-1]) for name, array in batch.arguments().items()}
    return dataclasses.replace(batch, **arrays)
