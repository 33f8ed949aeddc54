"""A model -> a folder in the format of another runtime, with what is needed beside it, tried before it is given out."""

import importlib.metadata
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from albertkit import backends, loading, sampling
from albertkit.arrays import Tensors
from albertkit.batches import PaddedBatch
from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, InputError, did_you_mean
from albertkit.exports import base, manifest, registry
from albertkit.exports.base import ExportFormat
from albertkit.exports.manifest import Entry
from albertkit.inference import export_folder, parity, parts, sample_rows, sample_texts
from albertkit.inference.engine import Engine
from albertkit.inference.parity import Parity
from albertkit.inference.parts import Parts
from albertkit.pipelines import Pipeline
from albertkit.tasks.features import Features
from albertkit.typing import Json

MAX_DIFFERENCE = {"fp32": 1e-3}
"""The largest difference of numbers that passes, as a part of the largest of them, or of 1 where that is less."""
MAX_DIFFERENCE_OF_HALVES = 3e-2
"""The same for other precisions of floats."""
MIN_AGREEMENT = 0.9
"""The least share of answers that must stay the same in integers, the least cosine and the least correlation."""
MOST_ROWS = 512
"""Rows of a file that an export is tried on, the first ones."""
_PACKAGES = (
    "onnx",
    "onnxruntime",
    "openvino",
    "nncf",
    "torch",
    "tensorflow",
    "tensorflow-cpu",
    "jax",
    "ai-edge-litert",
)


class Tried(NamedTuple):
    """What a model is tried on: its head, its rows, and what they are in words."""

    head: str
    features: Features
    data: str

    def batches(self, pad_id: int) -> list[PaddedBatch]:
        """Each row as a batch of its own, without padding."""
        ids, types = self.features.input_ids, self.features.token_type_ids
        return [PaddedBatch.of_rows([row], [kinds], pad_id) for row, kinds in zip(ids, types, strict=True)]


def export(
    model: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    format: str = "onnx",
    precision: str | None = None,
    *,
    task: str | None = None,
    calibrate: str | os.PathLike[str] | None = None,
    data: Mapping[str, Json] | None = None,
    max_length: int | None = None,
    overwrite: bool = False,
    max_difference: float | None = None,
    min_agreement: float = MIN_AGREEMENT,
    **options: Json,
) -> Entry:
    """Write a model, a folder or a name, in another format into a new folder, the model's own, or one of its exports.

    `format` is a name of `exports.registry`, `precision` one that it offers. The folder gets the tokenizer, the config
    and export.json beside, and answers through `pipeline` and `albertkit predict`. Before that the export answers the
    rows of `calibrate`, a file of data as for `predict`, by default built-in texts, and is compared with the model:
    CheckpointError where numbers differ by more than `max_difference` of the largest, or where in integers fewer
    answers than `min_agreement` stay the same. `data` are options of that file, such as `text_column` and
    `skip_bad_rows`. `options` are those by which a pipeline loads and builds the model.
    InputError for a format, a precision, a limit or a folder that will not do, MissingDependency where a package is
    missing.
    """
    _require_limits(max_difference, min_agreement)
    form = registry.get(format)
    chosen = _precision(form, precision)
    form.require_installed(chosen)
    fetching = loading.options(options, reads_weights=True)
    loaded = parts.load(task, model, backends.resolve_for_answers("auto"), None, None, fetching, options, "fp32")
    if patience := loaded.engine.config.early_exit_patience:
        raise InputError(
            f"An export computes all layers. Received: patience {patience} for early exit. Leave `patience` out, and "
            "`early_exit_patience` of the model's config at 0."
        )
    for name in loaded.task.model_options:
        options.pop(name, None)
    tried = _tried(Pipeline(*loaded, max_length=max_length, **options), loaded, calibrate, data)
    config = loaded.engine.config.changed(architectures=[f"Albert{tried.head}"])
    target = export_folder.Target.of(Path(folder), model, config, f"{format}/{chosen}", overwrite)
    tensors = loaded.task.completed(config, files.load(model, **fetching).tensors)
    with tempfile.TemporaryDirectory() as staging:
        limits = max_difference, min_agreement
        entry = _written(form, chosen, config, tensors, loaded, tried, Path(staging), limits)
        target.save(Path(staging), entry, config, loaded.tokenizer)
    return entry


def _precision(form: ExportFormat, precision: str | None) -> str:
    if precision is not None and precision not in form.precisions:
        raise InputError(
            f"{form.title} is written in {', '.join(form.precisions)}. Received: {precision!r}. Ask for one of these."
            f"{did_you_mean(precision, form.precisions)}"
        )
    return precision or form.precisions[0]


def _require_limits(max_difference: float | None, min_agreement: float) -> None:
    """InputError for limits by which nothing would be tried, or nothing pass."""
    if max_difference is not None and not 0 <= max_difference < math.inf:
        raise InputError(
            "`max_difference` must be a finite number of at least 0, a part of the largest number. Received: "
            f"{max_difference}. Leave it out for the usual one."
        )
    if not 0 <= min_agreement <= 1:
        raise InputError(
            f"`min_agreement` must be a share from 0 to 1. Received: {min_agreement}. Leave it out for the usual one."
        )


def _written(
    form: ExportFormat,
    precision: str,
    config: AlbertConfig,
    tensors: Tensors,
    loaded: Parts,
    tried: Tried,
    staging: Path,
    limits: tuple[float | None, float],
) -> Entry:
    """Write an export into a folder of its own, and try it."""
    weights = base.weights_of(config, tried.head, tensors)
    written = form.write(config, tried.head, weights, staging, precision, tried.batches(config.pad_token_id or 0))
    size = base.require_small(written, staging, config, weights, precision)
    base.require_converted(written, config, precision)
    forward = form.compile(staging / written.file, config, tried.head)
    engine = Engine(forward, config, tried.head, loaded.task.batch_tokens)
    found = parity.measure(loaded.engine, engine, tried.features)
    _require_same(found, tried.data, precision, *limits)
    return Entry(
        format=form.name,
        precision=precision,
        task=loaded.task.name,
        head=tried.head,
        file=written.file,
        files={name: manifest.checksum(staging / name) for name in written.files},
        bytes=size,
        weight_bytes=written.weight_bytes,
        products=written.products,
        converted=written.converted,
        parity=found.record(tried.data),
        made_with=dict(_versions()),
        detail=written.detail,
    )


def _tried(
    answerer: Pipeline, loaded: Parts, file: str | os.PathLike[str] | None, data: Mapping[str, Json] | None
) -> Tried:
    """The rows of a file, or of built-in texts."""
    task, tokenizer, config = loaded.task, loaded.tokenizer, loaded.engine.config
    head = task.head_for(config.architectures)
    base.require_exportable(head)
    sampling.require_file(file, "calibrate", data)
    if file is None:
        texts, told = sample_texts.of_model(tokenizer)
        return Tried(head, sample_rows.of_texts(tokenizer, head, texts, answerer.max_length), told)
    features = sampling.rows_of_file(answerer, file, MOST_ROWS, data)
    if not len(features):
        raise InputError(f"An export is tried on the rows of a file. Received: {file}, which has none. Leave it out.")
    return Tried(head, features, f"the first {len(features)} rows of {Path(file).name}")


def _require_same(found: Parity, data: str, precision: str, max_difference: float | None, min_agreement: float) -> None:
    """CheckpointError where an export answers too differently from its model."""
    if precision in base.INTEGERS:
        figures = found.agreements()
        if all(value >= min_agreement for value in figures.values()):
            return
        told = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
        raise CheckpointError(
            f"An export in {precision} must answer as its model does, by at least {min_agreement:g}. On {data}: "
            f"{told}. Pass --calibrate with texts of the kind that it will answer, take --precision fp32, or let it "
            "pass with --min-agreement."
        )
    limit = MAX_DIFFERENCE.get(precision, MAX_DIFFERENCE_OF_HALVES) if max_difference is None else max_difference
    if found.relative_difference > limit:
        raise CheckpointError(
            f"An export in {precision} must answer as its model does, but for {limit:g} of the largest number. On "
            f"{data} it differs by {found.largest_difference:.3g}, where the largest is {found.largest_value:.3g}. "
            "Take another precision, or let it pass with --max-difference."
        )


def _versions() -> Iterator[tuple[str, str]]:
    for name in ("albertkit", *_PACKAGES):
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
