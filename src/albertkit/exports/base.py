"""The contract of an export format, and what all formats share: names of inputs and outputs, and how many products.

A format writes the network of a head with its weights, and opens what it wrote as a forward pass of the engine.
Letters: B rows, C choices, L places of a row, H hidden size, V vocabulary, K starts, M ends for each.
"""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from albertkit import weight_table
from albertkit.arrays import Tensors, grow
from albertkit.backends import Forward, Outputs
from albertkit.batches import MaskedBatch, PaddedBatch, require_valid
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, InputError, MissingDependency
from albertkit.rules import require_ids

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""The inputs of every exported model, int64 (B, L), of multiple choice (B, C, L); the mask is 1 for a token, else 0."""

_ROW, _PLACE = "batch_size", "sequence_length"
OUTPUTS: Mapping[str, Mapping[str, tuple[str | None, ...]]] = {
    "Model": {"last_hidden_state": (_ROW, _PLACE, None), "pooler_output": (_ROW, None)},
    "ForMaskedLM": {"logits": (_ROW, _PLACE, None)},
    "ForSequenceClassification": {"logits": (_ROW, None)},
    "ForMultipleChoice": {"logits": (_ROW, "num_choices")},
    "ForTokenClassification": {"logits": (_ROW, _PLACE, None)},
    "ForQuestionAnswering": {"start_logits": (_ROW, _PLACE), "end_logits": (_ROW, _PLACE)},
    "ForQuestionAnsweringBeamSearch": {
        "start_top_log_probs": (_ROW, "starts"),
        "start_top_index": (_ROW, "starts"),
        "end_top_log_probs": (_ROW, "ends"),
        "end_top_index": (_ROW, "ends"),
        "cls_logits": (_ROW,),
    },
    "ForSentenceEmbedding": {"sentence_embedding": (_ROW, None)},
}
"""The outputs of each head that can be exported, with the names of their free axes; None: of fixed size."""

INTEGERS = ("int8", "uint8")
"""The precisions in which products with weights are of whole numbers of a byte."""
GRAPH_BYTES, LAYER_BYTES = 2**20, 2**17
"""What a file may hold beside weights, and for each run of a layer: nodes and their names."""
SLACK = 1.1
"""By how much weights in a file may exceed those of the checkpoint: shared ones must be there once."""


@dataclass(frozen=True)
class Written:
    """What a format has written."""

    file: str
    """The file to open, a path inside the folder."""
    files: tuple[str, ...]
    """All files, that one among them."""
    weight_bytes: int
    """Bytes of all weights, counted in the file."""
    products: int
    """Products with weights, counted in the graph that was written, each use of a shared weight for itself."""
    converted: int
    """How many of them are in int8."""
    detail: str = ""
    """What else a person wants to know of how it was made."""


class ExportFormat(Protocol):
    """A format: what it needs and offers, how a model is written, and how what was written answers."""

    name: str
    title: str
    """As people call it."""
    extra: str
    """The extra of albertkit that brings the packages."""
    precisions: tuple[str, ...]
    """The first is the default."""
    needs_trust: bool
    """Whether a file may do more than compute when it is opened, as those say who wrote what opens it."""

    def require_installed(self, precision: str | None) -> None:
        """MissingDependency where a package is missing that writing in a precision needs, or, for None, answering."""
        ...

    def write(
        self,
        config: AlbertConfig,
        head: str,
        tensors: Tensors,
        folder: Path,
        precision: str,
        samples: Sequence[PaddedBatch],
    ) -> Written:
        """Write `Albert{head}` with the given canonical tensors into a folder.

        `samples` are rows such as the model will be given, for scales of activations that are measured.
        """
        ...

    def compile(self, file: Path, config: AlbertConfig, head: str, device: str | None = None) -> Forward:
        """The forward pass of a file that `write` has written. InputError where there is no such device."""
        ...


def require_packages(form: ExportFormat, *packages: str) -> None:
    """MissingDependency for the first package that is not there."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingDependency(f"The format {form.title}", package, form.extra)


def require_exportable(head: str) -> None:
    """InputError for a head that has no exported form."""
    if head not in OUTPUTS:
        raise InputError(
            f"An export is a model for one task, of {', '.join(f'Albert{name}' for name in OUTPUTS)}. Received: "
            f"Albert{head}. Name another task with --task."
        )


def weights_of(config: AlbertConfig, head: str, tensors: Tensors) -> Tensors:
    """The tensors of a head in float32, tied ones once. WeightMismatch where one is missing."""
    from albertkit.checkpoint import report

    tied = weight_table.tied(config)
    wanted = weight_table.expected(config, head)
    chosen, what = report.fit(f"Albert{head}", wanted, tied, tensors, "the checkpoint")
    what.require_complete()
    own = {name: array for name, array in chosen.items() if name not in tied}
    return {name: np.asarray(array, np.float32) for name, array in own.items()}


def size_of(config: AlbertConfig, weights: Tensors, precision: str) -> int:
    """Bytes that weights need in a precision.

    Of integers a byte a number in tables and products, and in float32 for each input and output of each use of a
    product one number, and a few more for the product: what scales and moved biases need.
    """
    if precision not in INTEGERS:
        return sum(array.size for array in weights.values()) * (2 if precision == "fp16" else 4)
    total = 256 * products(config)
    for name, array in weights.items():
        if weight_table.kind(name) == "dense" or name.endswith("word_embeddings.weight"):
            uses = config.num_hidden_layers if "albert_layer_groups" in name else 1
            total += array.size + 4 * sum(array.shape) * uses
        else:
            total += 4 * array.size
    return total


def require_small(written: Written, folder: Path, config: AlbertConfig, weights: Tensors, precision: str) -> int:
    """The bytes of all written files. CheckpointError where weights that layers share are stored more than once."""
    size = sum((folder / name).stat().st_size for name in written.files)
    limit = SLACK * size_of(config, weights, precision)
    graph = GRAPH_BYTES + LAYER_BYTES * config.num_hidden_layers * config.inner_group_num
    if written.weight_bytes > limit or size > limit + graph:
        raise CheckpointError(
            f"An exported file must hold shared weights once, at most {SLACK} times the checkpoint's "
            f"{limit / SLACK:,.0f} bytes. It holds {written.weight_bytes:,} bytes of weights in {size:,}. Other "
            "versions of the packages that write it may do better: docs/exports.md names those that were tested."
        )
    return size


def products(config: AlbertConfig) -> int:
    """Products with weights in the encoder: six in each run of a layer, and the map of the embeddings."""
    return 6 * config.num_hidden_layers * config.inner_group_num + 1


def require_converted(written: Written, config: AlbertConfig, precision: str) -> None:
    """CheckpointError where a product is missing, or of an int8 export one is still in float32."""
    wanted = max(products(config), written.products)
    counted = written.converted if precision in INTEGERS else written.products
    if counted < wanted:
        raise CheckpointError(
            f"Every product with weights must be there, and in int8 where that was asked for: {wanted}. Counted in the "
            f"file: {counted}. Other versions of the packages that write it may do better: docs/exports.md names those "
            "that were tested."
        )


def inputs(config: AlbertConfig, batch: PaddedBatch) -> dict[str, np.ndarray]:
    """The inputs of an exported model. TokenIdError and InputError for ids and lengths that it has no rows for."""
    require_valid(config, batch)
    shape = batch.input_ids.shape
    types = np.zeros(shape, np.int64) if batch.token_type_ids is None else batch.token_type_ids
    if types.size:
        require_ids("token_type_ids", int(types.min()), int(types.max()), config.type_vocab_size)
    mask = np.ones(shape, np.int64) if batch.attention_mask is None else batch.attention_mask
    arrays = (batch.input_ids, mask, types)
    return {name: np.ascontiguousarray(array, np.int64) for name, array in zip(INPUTS, arrays, strict=True)}


def lengthened(config: AlbertConfig, given: Tensors, length: int) -> dict[str, np.ndarray]:
    """Inputs by name, of at least `length` places: new ones are masked out."""
    added, pad_id = max(length - given["input_ids"].shape[-1], 0), config.pad_token_id or 0
    return {name: grow(array, added, pad_id if name == "input_ids" else 0) for name, array in given.items()}


def shortest(config: AlbertConfig, head: str) -> int:
    """The least L that a traced program of a head takes: a search for answers finds a fixed number of places."""
    return max(config.start_n_top, config.end_n_top) + 1 if head == "ForQuestionAnsweringBeamSearch" else 1


def forward(config: AlbertConfig, head: str, run: Callable[[Tensors], Outputs]) -> Forward:
    """The forward pass that the engine wants, of a function from the inputs of an exported model to its outputs.

    Of a `MaskedBatch` it gives the logits (P, V) at its positions alone, and rows of S sentences (B, S, L) go through
    the encoder as (B * S, L).
    """

    def answer(batch: PaddedBatch) -> Outputs:
        given, shape = inputs(config, batch), batch.input_ids.shape
        if head == "ForSentenceEmbedding" and len(shape) == 3:
            found = run({name: array.reshape(-1, shape[2]) for name, array in given.items()})
            return {name: array.reshape(*shape[:2], -1) for name, array in found.items()}
        found = run(given)
        if not isinstance(batch, MaskedBatch):
            return found
        rows, columns = batch.positions.T
        return {"logits": found["logits"][rows, columns]}

    return answer
