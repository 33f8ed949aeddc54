"""A model's name, its folder or itself -> what answers for a task: the task, an engine and a tokenizer."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Unpack

from albertkit import backends, embedded
from albertkit.backends import InferPrecision
from albertkit.checkpoint import files
from albertkit.errors import InputError, abbreviate
from albertkit.hub import FetchOptions
from albertkit.inference import early_exit, exported
from albertkit.inference.backends import framework_backend, infer_backend
from albertkit.inference.engine import Engine
from albertkit.inference.settings import built_with
from albertkit.tasks import registry
from albertkit.tasks.base import AnyTask
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.typing import Json, Model

logger = logging.getLogger(__name__)


class Parts(NamedTuple):
    """What a pipeline is put together from."""

    task: AnyTask
    engine: Engine
    tokenizer: AlbertTokenizerBase


def load(
    task: str | None,
    model: Model,
    framework: str | None,
    device: Json,
    tokenizer: Json,
    fetching: FetchOptions,
    options: Mapping[str, Json] = MappingProxyType({}),
    precision: InferPrecision | None = None,
    trust_program: bool = False,
) -> Parts:
    """The parts for a task, None or "auto" for the one that the model was made for, and a model; see `pipelines`.

    Of the `options` those that decide how the task's model is built, its `model_options`, are read here.

    InputError for a task, a device, a model or a tokenizer that there is none for; CheckpointError where the model
    lacks the task's head.
    """
    place = backends.device_name(device)
    known = None if task in (None, "auto") else registry.get(task)
    if own := backends.framework_of(model):
        if precision is not None:
            raise InputError(
                f"A loaded model answers in its own precision. Received: {precision!r} beside it. Leave it out, or "
                "pass the model's folder in place of the model."
            )
        return _attached(known, model, own, framework, place, tokenizer, options)
    if not isinstance(model, (str, os.PathLike)):
        raise InputError(
            f"A model must be a name, a folder, or a model of this package. Received: {_kind(model)}. Save it with "
            "save_pretrained, and pass the folder."
        )
    found = exported.find(model, framework, precision, **fetching)
    if found is not None:
        loaded = exported.load(found, known, place, options, trust_program)
        return Parts(*loaded, _tokenizer(tokenizer, model, **fetching))
    # The weights before the tokenizer: of a folder that is no model they say what it is.
    checkpoint = files.load(model, **fetching)
    words = _tokenizer(tokenizer, model, **fetching)
    chosen = known or registry.of_model(checkpoint.config)
    backend = infer_backend(name := backends.resolve_for_answers(framework or "auto"))
    config = checkpoint.config.changed(**built_with(chosen, options))
    if chosen.can_exit_early:
        early_exit.require_possible(config, name)
    checkpoint = checkpoint.changed(config, chosen.completed(config, checkpoint.tensors))
    head = chosen.head_for(config.architectures)
    engine = Engine.load(backend, checkpoint, head, chosen.batch_tokens, place, precision)
    return Parts(chosen, engine, words)


def chosen_model(task: str | None, model: Model, language: str | None) -> Model:
    """The model that answers: the one that is given, or that of the package for a task in a language, which is told.

    InputError where neither is named, or a language beside a model.
    """
    if model is not None:
        if language is not None:
            raise InputError(
                "`language` chooses among the models that come with the package. Received: "
                f"{language!r} beside {abbreviate(model, 60)}. Leave one of them out."
            )
        return model
    if task in (None, "auto") or Path(str(task)).is_dir():
        hint = f" A task comes before it: pipeline(model={str(task)!r})." if task and Path(task).is_dir() else ""
        raise InputError(
            "A pipeline needs a model, its name, its folder, or itself; or a task, for which the package may have one. "
            f"Received: neither.{hint}"
        )
    found = embedded.default(registry.get(task).name, language)
    logger.warning(
        "%s is answered by %s, a small model that comes with the package. For another, name it: its folder, or its "
        "name on the hub.",
        *(task, found),
    )
    return found


def model_or_task(model: str, task: str, language: str | None) -> tuple[str, str]:
    """The model and the task of a command, in which the name of a task may stand in place of a model.

    It then means the model of the package for that task and language, which is told; a folder of that name comes first.
    InputError as in `chosen_model`.
    """
    if not registry.is_known(model) or Path(model).exists():
        return str(chosen_model(task, model, language)), task
    return str(chosen_model(model, None, language)), registry.full_name(model) if task == "auto" else task


def _attached(
    known: AnyTask | None,
    model: Model,
    own: str,
    framework: str | None,
    device: str | None,
    tokenizer: Json,
    options: Mapping[str, Json],
) -> Parts:
    """The parts for a model of this package that is loaded already."""
    name, prefix = type(model).__name__, backends.PREFIXES[own]
    task = known or registry.of_model(model.config, [name])
    if keys := built_with(task, options):
        key, value = next(iter(keys.items()))
        raise InputError(
            f"A loaded model computes as its config says. Received: {value!r} beside it. Set `model.config.{key}`."
        )
    if framework not in (None, "auto", own):
        raise InputError(
            f"A loaded model answers in its own framework, {own}. Received: {framework!r}. Leave it out, or pass the "
            "model's folder in place of the model."
        )
    classes = {kind.__name__ for kind in type(model).__mro__}
    wanted = [f"{prefix}{head}" for head in task.heads]
    if classes.isdisjoint(wanted):
        raise InputError(f"{task.name} needs a model of the class {' or '.join(wanted)}. Received: {name}.")
    if tokenizer is None:
        raise InputError(
            f"A loaded model needs its tokenizer beside it. Received: {name} alone. Pass `tokenizer`, itself or its "
            "name or folder."
        )
    head = task.head_for(sorted(classes))
    engine = Engine(framework_backend(own).attach(model, device), model.config, head, task.batch_tokens)
    return Parts(task, engine, _tokenizer(tokenizer))


def _tokenizer(
    tokenizer: Json, model: str | os.PathLike[str] | None = None, **fetching: Unpack[FetchOptions]
) -> AlbertTokenizerBase:
    """A tokenizer, or that of a model where none is given."""
    if tokenizer is None and model is not None:
        return AlbertTokenizerFast.from_pretrained(model, **fetching)
    if isinstance(tokenizer, AlbertTokenizerBase):
        return tokenizer
    if isinstance(tokenizer, (str, os.PathLike)):
        return AlbertTokenizerFast.from_pretrained(tokenizer)
    raise InputError(
        f"A tokenizer must be one of this package, or its name or folder. Received: {_kind(tokenizer)}. Load it with "
        "albertkit.AlbertTokenizerFast.from_pretrained."
    )


def _kind(value: object) -> str:
    return f"{abbreviate(value, 60)}, a {type(value).__module__}.{type(value).__name__}"
