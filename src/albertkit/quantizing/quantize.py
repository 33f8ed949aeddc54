"""albertkit's int8: scales for a model from given texts, kept with it if the answers stay as they are."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from albertkit import arrays, quantization, sampling, storage
from albertkit.batches import PaddedBatch
from albertkit.checkpoint import files
from albertkit.checkpoint.files import Checkpoint
from albertkit.config import CONFIG_FILE
from albertkit.errors import InputError
from albertkit.inference import parity, parts, text_files
from albertkit.inference.backends import infer_backend
from albertkit.inference.engine import Engine
from albertkit.inference.parity import Parity
from albertkit.inference.parts import Parts
from albertkit.kernels import library
from albertkit.kernels.encoder import can_run
from albertkit.pipelines import Pipeline
from albertkit.quantization import Quantization
from albertkit.quantizing import plans
from albertkit.quantizing.plans import Plan
from albertkit.tasks import registry
from albertkit.tasks.base import Task, TrainableTask
from albertkit.tasks.features import Features
from albertkit.tools.convert import convert, require_free
from albertkit.typing import Json, Record

Name = str | os.PathLike[str]

ROWS = 1024
"""Rows of texts that are taken, one half for the scales and the other to measure."""
AGREEMENT = 0.99
"""The share of answers that must stay the same."""
_FIGURES = {
    "agreement": "{:.2%} of the answers stay as they are",
    "least_cosine": "the least cosine of vectors is {:.4f}",
    "correlation": "the correlation of numbers is {:.4f}",
}
"""What is said of the figures of a `Parity`."""
_FEW = 16
"""Fewer rows say nothing."""


@dataclass(frozen=True)
class Quantized:
    """What was found, and where it is kept."""

    folder: Path
    quantization: Quantization
    report: Record


def quantize(
    model: Name,
    texts: Name,
    output: Name | None = None,
    *,
    task: str = "auto",
    min_agreement: float = AGREEMENT,
    min_row_agreement: float = 0.0,
    max_rows: int = ROWS,
    max_length: int | None = None,
    overwrite: bool = False,
    told: Callable[[str], None] = lambda line: None,
    **data: Json,
) -> Quantized:
    """Find how the encoder of a model is computed in int8 so that its answers stay, and keep that with it.

    One half of the rows that the file `texts` makes gives the scales. With the other half the ways of `plans` are
    measured one after the other, and the first in which the share `min_agreement` of the answers is that of float32 is
    kept: in the model's folder, or with a copy of the model in the folder `output`. Where a row has several answers, as
    a sentence has its words, `min_row_agreement` is the share of rows in which all of them must be. Where the texts
    have labels, the scores of the first `max_rows` examples in both precisions are reported, too. Weights stay.

    `told` is given a line at every stage, for whoever waits. `data` are options of the task's data, such as
    `text_column`. InputError where no way is good enough, and for texts
    of which there are too few; MissingDependency without PyTorch, which alone computes in int8.
    """
    folder = _folder(model, output, overwrite)
    loaded = _load(task, model)
    from albertkit.torch.packed import calibration  # PyTorch is there

    checkpoint = _as_run(files.load(model), loaded)
    answerer = Pipeline(*loaded, max_length=max_length)
    features = _features(answerer, str(texts), data, max_rows)
    seen, asked = features.take(range(0, len(features), 2)), features.take(range(1, len(features), 2))
    told(f"Asking the model about {len(asked):,} rows in float32, and taking the scales from {len(seen):,} others.")
    exact = list(loaded.engine.run(asked))
    head = loaded.engine.head
    statistics = calibration.observe(checkpoint.config, head, checkpoint.tensors, _batches(seen, checkpoint))
    tried: list[Record] = []
    config = checkpoint.config
    is_compiled = can_run(config, "int8", quantization.per_token(config))
    for plan in plans.plans(config, statistics, checkpoint.tensors, is_compiled):
        engine = _engine(checkpoint, head, plan, loaded)
        found = parity.compare(exact, engine.run(asked), asked, checkpoint.config.problem_type)
        agreement = min(found.agreements().values(), default=1.0)
        told(f"{plan.name}: {_in_words(found)}.")
        tried.append({"inputs": plan.name, "agreement": agreement, **found.record("the other half of the rows")})
        if agreement >= min_agreement and found.row_agreement >= min_row_agreement:
            int8 = Pipeline(loaded.task, engine, loaded.tokenizer, max_length=max_length)
            scores = _scores(answerer, int8, texts, {"max_eval_samples": max_rows, **data}, told)
            report = {"texts": Path(texts).name, "rows": len(features), "tried": tried, **scores, **_machine()}
            if output is not None:
                convert(model, output, overwrite=overwrite)
            quantization.write(folder, plan.quantization, checkpoint.tensors, report)
            return Quantized(folder, plan.quantization, report)
    raise _refusal(tried, min_agreement, min_row_agreement)


def _folder(model: Name, output: Name | None, overwrite: bool) -> Path:
    """The folder to write to.

    InputError where that is none, such as a name of the hub, or holds files already; CheckpointError where nothing can
    be written there.
    """
    folder = Path(model if output is None else output)
    if output is not None:
        require_free(output, overwrite)
    if output is None and not (folder / CONFIG_FILE).is_file():
        raise InputError(
            f"What int8 needs is kept with its model, which must be a folder with a {CONFIG_FILE}. Received: {model}. "
            "Name a folder for a copy with --output."
        )
    storage.require_writable(folder)
    return folder


def _load(task: str, model: Name) -> Parts:
    """The parts that answer in float32; a masked language model is asked about plain texts."""
    loaded = parts.load(task, model, "torch", "cpu", None, {}, precision="fp32")
    if loaded.task.plain_text_task is None:
        return loaded
    return loaded._replace(task=registry.get(loaded.task.plain_text_task))


def _as_run(checkpoint: Checkpoint, loaded: Parts) -> Checkpoint:
    """A checkpoint with the config and the tensors that its task runs."""
    config = loaded.engine.config
    return checkpoint.changed(config, loaded.task.completed(config, checkpoint.tensors))


def _features(answerer: Pipeline, path: str, data: Record, rows: int) -> Features:
    """As many rows of a file of texts as are asked for. InputError where it makes too few."""
    found = sampling.rows_of_file(answerer, path, rows, data)
    if len(found) < _FEW:
        raise InputError(
            f"Scales need at least {_FEW} rows of texts, such as the model will meet, and some hundreds are better. "
            f"{path} makes {len(found)}. Give more."
        )
    return found


def _batches(features: Features, checkpoint: Checkpoint) -> list[PaddedBatch]:
    """Rows of like length together."""
    pad_id = checkpoint.config.pad_token_id or 0
    rows = arrays.by_length(features.lengths(), Task.batch_tokens, None, features.choices())
    found = (features.take(row) for row in rows)
    return [PaddedBatch.of_rows(one.input_ids, one.token_type_ids, pad_id) for one in found]


def _engine(checkpoint: Checkpoint, head: str, plan: Plan, loaded: Parts) -> Engine:
    planned = replace(checkpoint, quantization=plan.quantization)
    return Engine.load(infer_backend("torch"), planned, head, loaded.task.batch_tokens, "cpu", "int8")


def _scores(exact: Pipeline, quantized: Pipeline, texts: Name, data: Record, told: Callable[[str], None]) -> Record:
    """The scores of both on the texts, where these have labels, or why there are none."""
    if not isinstance(exact.task, TrainableTask) or text_files.is_lines(exact.task, str(texts)):
        return {}
    told("Scoring both on the texts, where they have labels.")
    try:
        found = {name: one.evaluate(texts, **data) for name, one in (("fp32", exact), ("int8", quantized))}
    except InputError as error:
        return {"no_scores": str(error)}
    return {"scores": {name: _numbers(scores) for name, scores in found.items()}}


def _numbers(scores: Record) -> Record:
    return {name: value for name, value in scores.items() if isinstance(value, float)}


def _machine() -> Record:
    from albertkit.torch.packed import int8

    return {
        "weight_steps": int8.weight_steps(),
        "compiled_encoder": library.fastest().get("int8"),
        "albertkit": version("albertkit"),
        "torch": version("torch"),
    }


def _in_words(found: Parity) -> str:
    """What stays as it is: answers, or of vectors and numbers how near they come."""
    whole = f", all of a row in {found.row_agreement:.2%} of the rows" if found.answers > found.rows else ""
    told = (_FIGURES[name].format(value) for name, value in found.agreements().items())
    return (", ".join(told) or "nothing can be compared") + whole


def _refusal(tried: Iterable[Record], wanted: float, wanted_of_rows: float) -> InputError:
    order = ("row_agreement", "agreement") if wanted_of_rows else ("agreement",)
    best = max(tried, key=lambda one: [one.get(name, one["agreement"]) for name in order])
    rows = f", and all of a row in {wanted_of_rows:.2%} of the rows" if wanted_of_rows else ""
    found = f", and {best.get(order[0], best['agreement']):.2%} of the rows" if wanted_of_rows else ""
    has_answers = "answers" in best
    least = f"{wanted:.2%} of the answers as they are" if has_answers else f"a cosine or correlation of {wanted:.6f}"
    received = f"{best['agreement']:.2%}" if has_answers else f"{best['agreement']:.6f}"
    return InputError(
        f"int8 must leave {least}{rows}. Received: {received}{found}, of "
        f"{best['rows']:,} rows at best, with {best['inputs']}. Nothing was written. Give more texts like those "
        f"that the model will meet, allow less with --min-agreement{' or --min-row-agreement' if rows else ''}, "
        "or answer in bf16 or fp32."
    )
