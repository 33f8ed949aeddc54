"""The folder of a run: when a run may begin or go on there, and what an unfinished one leaves in it."""

import contextlib
import fnmatch
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from albertkit import storage
from albertkit.arrays import Tensors
from albertkit.checkpoint import files, layout, sentence_transformers
from albertkit.errors import AlbertkitError, CheckpointError, ConfigError, few
from albertkit.exports import manifest
from albertkit.quantization import QUANTIZATION_FILE
from albertkit.tasks.figures import Figure
from albertkit.tokenization import files as tokenizer_files
from albertkit.training import calibration_files, finetune_figures, hub_data, model_card, plots, reporter
from albertkit.training.initial_state import InitialState
from albertkit.training.loop import Plan
from albertkit.training.recipe import BaseRecipe
from albertkit.training.run_checkpoints import OWN, checkpoints
from albertkit.typing import Record

logger = logging.getLogger(__name__)

Recipe = TypeVar("Recipe", bound=BaseRecipe)

CHECKPOINTS, RECIPE = "checkpoints", "recipe.toml"

WRITTEN = (
    *("config.json", "model*.safetensors", "eval_results.json", "run.json", RECIPE, "README.md"),
    *(
        finetune_figures.FILE,
        "figure_*.png",
        reporter.LOG,
        reporter.CURVES,
        reporter.TABLE,
        reporter.TENSORBOARD,
        *tokenizer_files.PATTERNS,
    ),
)
"""What a finished run leaves."""

STALE = (
    *(*layout.STALE, *layout.OTHER_FORMATS, *tokenizer_files.PATTERNS, *sentence_transformers.FILES),
    *(QUANTIZATION_FILE, manifest.FILE, calibration_files.FILE, finetune_figures.FILE, "figure_*.png", reporter.CURVES),
)
"""What an older model may have left that would be read beside the new one, or taken for what is said of it."""


def begun(output: Path) -> Path | None:
    """The recipe of the run that was cut off in a folder, or None."""
    path = output / CHECKPOINTS / RECIPE
    return path if path.exists() else None


def agreed(
    requested: Recipe, output: Path, *, resume: bool, overwrite: bool, extend_to: int | None
) -> tuple[Recipe, Recipe | None]:
    """The recipe of the run that is to begin or go on, and that of the finished run that it extends, if it does.

    ConfigError for what does not go together, and as from `extended`.
    """
    if extend_to:
        if resume or overwrite:
            raise ConfigError("--extend-to goes on with a finished run: it goes without --resume and --overwrite.")
        requested = extended(requested, output, extend_to)
        _require_same(requested, output)
    return requested, extended_from(requested, output) if resume or extend_to else None


def finished(output: Path) -> Path | None:
    """The recipe of the run that was finished in a folder, and is the last one there, or None."""
    path = output / RECIPE
    return path if path.exists() and begun(output) is None else None


def own_recipe(output: Path, resume: bool, extend_to: int | None) -> Path | None:
    """The recipe of the run that is to go on in a folder, or None where none is."""
    return begun(output) if resume else finished(output) if extend_to else None


def extended(requested: Recipe, output: Path, steps: int) -> Recipe:
    """The recipe of a finished run for more steps. ConfigError where there is no such run, or it had as many."""
    states = sorted((output / CHECKPOINTS).glob("step-*"))
    if finished(output) is None or not states:
        raise ConfigError(
            f"A run can be extended that is finished and has kept its last state. {output} holds none. One that was "
            "cut off goes on with --resume; one with `training.keep_state` false is begun again, with more steps."
        )
    done = int(states[-1].name.removeprefix("step-"))
    if steps <= done:
        raise ConfigError(f"A run is extended to more steps than it had. Received: {steps:,}, and it had {done:,}.")
    return requested.with_steps(steps)


def _require_same(requested: BaseRecipe, output: Path) -> None:
    """ConfigError where a finished run would be extended by another recipe: its state could not be gone on from."""
    _, apart = _earlier(requested, output)
    if apart:
        raise ConfigError(
            f"A run may only be extended with the recipe it began with. Then and now: {'; '.join(apart)}. Leave the "
            "options out, for --extend-to finds the recipe, or begin again with --overwrite."
        )


def extended_from(requested: Recipe, output: Path) -> Recipe | None:
    """The recipe of the finished run in a folder, where it is the requested one but for its steps, or None."""
    if not (output / RECIPE).exists():
        return None
    try:
        earlier, apart = _earlier(requested, output)
    except ConfigError:  # of another kind of run
        return None
    return None if apart else earlier


def _earlier(requested: Recipe, output: Path) -> tuple[Recipe, list[str]]:
    """The recipe of the run in a folder, and what differs in the requested one, but for its steps."""
    earlier = type(requested).load(output / RECIPE, {})
    return earlier, earlier.differences(requested.with_steps(earlier.steps))


def require_usable(requested: BaseRecipe, output: Path, resume: bool, overwrite: bool) -> None:
    """ConfigError where a run may not begin or go on in a folder, CheckpointError where another one goes on there."""
    with storage.translate_os_errors(output):
        if output.exists() and not output.is_dir():
            raise ConfigError(f"The output must be a folder. Received: {output}, which is a file.")
    if (output / CHECKPOINTS).is_dir():
        with storage.try_exclusive_lock(output / CHECKPOINTS):
            pass
    unfinished = begun(output) is not None
    if resume:
        if not unfinished:
            raise ConfigError(f"There is nothing to resume in {output}: no run was cut off there.")
        apart = type(requested).load(begun(output), {}).differences(requested)
        if apart:
            raise ConfigError(
                f"A run may only be resumed with the recipe it began with. Then and now: {'; '.join(apart)}. Leave the "
                "options out, for --resume finds the recipe, or begin again with --overwrite."
            )
    elif unfinished and not overwrite:
        raise ConfigError(
            f"{output} holds a run that was cut off. Pass --resume to go on with it, or --overwrite to begin again."
        )
    elif not overwrite and (found := _replaceable(output)):
        raise ConfigError(
            f"A run replaces what it finds only with --overwrite. {output} holds {', '.join(found[:4])}"
            f"{', ...' if len(found) > 4 else ''}. Give another --output, or pass --overwrite."
        )


def _replaceable(output: Path) -> list[str]:
    """What lies in a folder that a run would replace or remove."""
    with storage.translate_os_errors(output):
        names = storage.Folder(output).names()
        found = dict.fromkeys(name for own in (*WRITTEN, *STALE) for name in fnmatch.filter(names, own))
        return [*found, *(f"{CHECKPOINTS}/{path.name}" for path in checkpoints(output / CHECKPOINTS))]


@contextlib.contextmanager
def locked(requested: BaseRecipe, output: Path, resume: bool) -> Iterator[None]:
    """Keep other processes out of a folder while a run goes on in it. CheckpointError where one was faster.

    For a new run what an older one was about is forgotten first; its finished model stays until the end. A finished
    run that was to be extended and was not, as with other data, is a finished one as before.
    """
    place = output / CHECKPOINTS
    with storage.translate_os_errors(output):
        place.mkdir(parents=True, exist_ok=True)
    with storage.try_exclusive_lock(place):
        with storage.translate_os_errors(output):
            for path in (output, place):
                storage.clear_abandoned(path)
            if not resume:
                forget(output)
                (output / reporter.LOG).unlink(missing_ok=True)
                storage.remove_named(output / reporter.TENSORBOARD, [reporter.EVENTS])
        had, is_finished = checkpoints(place), begun(output) is None
        requested.save(place / RECIPE)  # of a run that goes on, too: some keys may have changed
        try:
            yield
        except AlbertkitError:
            if resume and is_finished and checkpoints(place) == had:  # no step of an extension was kept
                (place / RECIPE).unlink(missing_ok=True)
            raise


def forget(output: Path) -> None:
    """Remove the checkpoints of a run, by which it is one that was cut off, and nothing that a person put beside them.

    The recipe goes first: without it, what a crash leaves of the checkpoints is no run that was cut off.
    """
    place = output / CHECKPOINTS
    for name in (RECIPE, finetune_figures.FILE):
        (place / name).unlink(missing_ok=True)
    for path in checkpoints(place):
        storage.clear_abandoned(path)
        storage.remove_named(path, OWN)
    if stays := sorted(path.name for path in place.iterdir()):
        logger.warning("Left in %s, since no run wrote it: %s.", place, ", ".join(stays[:8]))


@contextlib.contextmanager
def _resumable() -> Iterator[None]:
    """Add to an error of writing what a person can do about it, for the training itself is done and kept."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(
            f"{error} The training is not lost: make room, and repeat the command with --resume, which only has to "
            "write the result."
        ) from error


def finish(
    output: Path,
    requested: BaseRecipe,
    resolved: BaseRecipe,
    plan: Plan,
    start: InitialState,
    tensors: Tensors,
    results: Record,
    card: str,
    figures: Sequence[Figure] = (),
) -> None:
    """Write all that a finished run leaves, as one step, and forget its checkpoints, but for those to extend it from.

    `requested` is the recipe as it was given and `resolved` with its open choices made; `results` has the step of
    `tensors`, and `figures` show them.
    """
    log = output / reporter.LOG
    is_pooled = f"Albert{plan.head}" == sentence_transformers.ARCHITECTURE
    if is_pooled:
        sentence_transformers.write_pooling(output, start.config)
    with _resumable(), storage.atomic_replace(output, head="config.json", stale=STALE) as staging:
        files.write(staging, start.config, tensors, f"Albert{plan.head}")
        start.tokenizer.write(staging)
        requested.save(staging / RECIPE)
        storage.write_json(staging / "eval_results.json", results)
        storage.write_json(staging / "run.json", {"resolved": resolved.model_dump(), **model_card.environment()})
        storage.write_text(staging / "README.md", card)
        reporter.write_table(log, staging / reporter.TABLE)
        if figures:
            storage.write_json(staging / finetune_figures.FILE, [one.as_record() for one in figures])
        if plots.are_possible():
            reporter.draw_curves(log, staging / reporter.CURVES, plan.metric, results["step"])
            for one in figures:
                plots.draw(one, staging / plots.file_of(one))
    if plan.keep_state:
        _retire(output)
    else:
        forget(output)
        with contextlib.suppress(OSError):  # where something of a person's is in it
            (output / CHECKPOINTS).rmdir()
    if not is_pooled:  # nothing is read there without the file that names it, which is gone
        storage.remove_named(output / sentence_transformers.POOLING, ["config.json"])
    _tell_of_others(output)


def remove_model(output: Path) -> None:
    """Remove the model that a run of a single seed has left in a folder, its config first, with all that goes with it.

    For a run over several seeds, which have their models in folders of their own.
    """
    names = storage.Folder(output).names()
    found = [name for own in (*WRITTEN, *STALE) for name in fnmatch.filter(names, own) if name != RECIPE]
    for name in dict.fromkeys(found):
        if (output / name).is_file():
            (output / name).unlink()


def _tell_of_others(output: Path) -> None:
    """Log what else a folder holds: it may be about a model that was there before."""
    pooling = (*sentence_transformers.FILES, sentence_transformers.POOLING)
    own = (*WRITTEN, CHECKPOINTS, hub_data.FOLDER, *pooling)
    names = storage.Folder(output).names()
    if others := [name for name in names if not any(fnmatch.fnmatch(name, one) for one in (".*", *own))]:
        logger.warning("%s also holds what this run did not write: %s.", output, few(others, 8))


def _retire(output: Path) -> None:
    """Remove the checkpoints of a run but for the best and the last one. Without the recipe, it is not cut off."""
    place = output / CHECKPOINTS
    for name in (RECIPE, finetune_figures.FILE):
        (place / name).unlink(missing_ok=True)
    steps = [path for path in checkpoints(place) if path.name.startswith("step-")]
    for path in steps[:-1]:
        storage.remove_named(path, OWN)
