"""The forward pass in NumPy as a function of NumPy arrays. Answers alone: it trains nothing."""

import dataclasses

from albertkit import weight_table
from albertkit.arrays import Tensors
from albertkit.backends import Forward, InferPrecision, Outputs, require_fp32
from albertkit.batches import MaskedBatch, PaddedBatch, require_valid
from albertkit.checkpoint import report
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.numpy.encoder import Weights, encode
from albertkit.numpy.heads import HEADS, predictions
from albertkit.quantization import Quantization


def compile(
    config: AlbertConfig,
    head: str,
    tensors: Tensors,
    source: str = "the checkpoint",
    device: str | None = None,
    precision: InferPrecision | None = None,
    quantization: Quantization | None = None,
) -> Forward:
    """The forward of `Albert{head}` with the given weights, in float32, whatever is known for int8.

    A `MaskedBatch` gives the `logits` (P, V) of a masked-language-model head at its positions and nowhere else.
    WeightMismatch where the head's weights are not among the tensors, InputError for another device or precision.
    """
    require_fp32(precision, "NumPy")
    if device not in (None, "cpu"):
        raise InputError(f"NumPy computes on the cpu alone. Received: the device {device!r}. Leave it out.")
    expected, tied = weight_table.expected(config, head), weight_table.tied(config)
    found, told = report.fit(f"Albert{head}", expected, tied, tensors, source)
    told.require_complete()
    weights = Weights(config, found)
    return lambda batch: forward(weights, head, batch)


def forward(weights: Weights, head: str, batch: PaddedBatch) -> Outputs:
    """The outputs of a head. TokenIdError for ids outside the vocabulary, InputError for rows that are too long."""
    require_valid(weights.config, batch)
    shape = batch.input_ids.shape
    if len(shape) == 3:  # rows of several sequences
        outputs = forward(weights, head, _flat(batch))
        return {name: values.reshape(*shape[:2], *values.shape[1:]) for name, values in outputs.items()}
    states = encode(weights, batch)
    if isinstance(batch, MaskedBatch):
        rows, columns = batch.positions.T
        return {"logits": predictions(weights, states[rows, columns])}
    return HEADS[head](weights, states, batch)


def _flat(batch: PaddedBatch) -> PaddedBatch:
    """(B, C, L) -> (B * C, L)."""
    arrays = {name: array.reshape(-1, array.shape[-1]) for name, array in batch.arguments().items()}
    return dataclasses.replace(batch, **arrays)
