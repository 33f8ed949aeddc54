"""A folder of an exported model -> what answers in it: found by what the folder holds, or by the name of a format."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Unpack

from albertkit import backends, hub
from albertkit.backends import Forward
from albertkit.checkpoint import files, layout
from albertkit.config import CONFIG_FILE, AlbertConfig
from albertkit.errors import AlbertkitError, CheckpointError, CheckpointNotFound, InputError, abbreviate, did_you_mean
from albertkit.exports import manifest, registry
from albertkit.exports.base import ExportFormat
from albertkit.exports.manifest import Entry
from albertkit.hub import FetchOptions
from albertkit.inference import early_exit
from albertkit.inference.engine import Engine
from albertkit.inference.settings import built_with
from albertkit.tasks import registry as tasks
from albertkit.tasks.base import AnyTask
from albertkit.typing import Json


class Exported(NamedTuple):
    """An export in a folder."""

    folder: Path
    entry: Entry


def find(
    model: str | os.PathLike[str], framework: str | None, precision: str | None, **fetching: Unpack[FetchOptions]
) -> Exported | None:
    """The export that answers for a model, or None where a framework does.

    `framework` may name a format. Where it names nothing, the latest export answers in a folder without weights. It is
    the latest in that `precision` where one is named. InputError for a name that is neither framework nor format.
    """
    wanted = framework or "auto"
    if wanted in registry.names():
        folder = hub.fetch(model, [manifest.FILE, CONFIG_FILE, f"{wanted}/*"], **fetching)
        return Exported(folder, _chosen(folder, wanted, precision))
    if wanted not in ("auto", *backends.ANSWERING):
        known = (*backends.ANSWERING, *registry.names())
        raise InputError(
            f"A framework must be one of {', '.join(backends.ANSWERING)}, a format of exports, "
            f"{' or '.join(registry.names())}, or auto. Received: {framework!r}.{did_you_mean(wanted, known)}"
        )
    folder = hub.local_path(model)
    has_weights = any((folder / one).exists() for one in layout.SINGLE)
    if wanted != "auto" or has_weights or not (folder / manifest.FILE).is_file():
        return None
    return Exported(folder, _chosen(folder, wanted, precision))


def _chosen(folder: Path, wanted: str, precision: str | None) -> Entry:
    """The latest export of a format, and of a precision, where one is named. CheckpointNotFound where there is none."""
    entries = manifest.read(folder)
    fitting = [one for one in entries if wanted in ("auto", one.format) and precision in (None, "auto", one.precision)]
    if not fitting:
        held = ", ".join(f"{one.format} in {one.precision}" for one in entries) or "none"
        asked = f"{wanted} in {precision or 'any precision'}"
        raise CheckpointNotFound(
            f"A model answers in a format that it was exported to. Asked for: {asked}. {folder} holds {held}. Export "
            "it with `albertkit export`."
        )
    return fitting[-1]


def load(
    found: Exported, known: AnyTask | None, device: str | None, options: Mapping[str, Json], trust_program: bool = False
) -> tuple[AnyTask, Engine]:
    """The task and the engine of an export; `known` is the task that is asked for, if any.

    Of the `options` those are read that decide how a model is built. InputError where the export is of another task, or
    was built otherwise, and without `trust_program` for a format whose files may do more than compute.
    """
    entry = found.entry
    form = registry.get(entry.format)
    _require_trusted(found, form, trust_program)
    config = files.load_config(found.folder)
    task = known or tasks.get(entry.task)
    if entry.head != task.head_for([f"Albert{entry.head}"]):
        raise InputError(
            f"An exported model answers the task that it was exported for, {entry.task}. Asked for: {task.name}. "
            "Export the model again for that one, or leave the task out."
        )
    built = built_with(task, options)
    if task.can_exit_early:
        early_exit.require_possible(config.changed(**built), entry.format)
    for key, value in built.items():
        if getattr(config, key) != value:
            raise InputError(
                f"An exported model computes as its config says. Received: {key} {value!r}, which is "
                f"{getattr(config, key)!r} there. Leave it out, or export a model with another."
            )
    form.require_installed(None)
    forward = _opened(form, manifest.opened(found.folder, entry), config, entry.head, device)
    return task, Engine(forward, config, entry.head, task.batch_tokens)


def _require_trusted(found: Exported, form: ExportFormat, is_trusted: bool) -> None:
    if form.needs_trust and not is_trusted:
        raise InputError(
            f"A program of {form.title} may do more than compute: whoever wrote it decides what is run or read on your "
            f"machine when it is loaded. Received: {found.folder / found.entry.file}. If you trust whoever wrote it, "
            "pass trust_program=True, or --trust-program on the command line; or take the model's weights, or an "
            "export to another format. docs/security.md says more."
        )


def _opened(form: ExportFormat, file: Path, config: AlbertConfig, head: str, device: str | None) -> Forward:
    """The forward pass of a file. CheckpointError for one that is none of the format."""
    try:
        return form.compile(file, config, head, device)
    except AlbertkitError:
        raise
    except Exception as error:  # each runtime has errors of its own: RuntimeError, ValueError, struct.error, ...
        raise CheckpointError(
            f"{file} must be a file of {form.title}. It cannot be opened: "
            f"{abbreviate(error, 200)}. Export the model again."
        ) from error
