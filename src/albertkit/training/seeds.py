"""Several seeds of one recipe: a run each in a folder of its own, and what their scores are together."""

import contextlib
import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from albertkit import storage
from albertkit.backends import TrainBackend
from albertkit.errors import ConfigError
from albertkit.tasks import registry
from albertkit.training import run_folder
from albertkit.training.recipe import FinetuneRecipe
from albertkit.typing import Record

RESULTS = "eval_results.json"
_NEW, _BEGUN, _DONE = range(3)
"""How far the run of a seed is."""
_COUNTS = {"step", "epoch", "examples"}
"""Numbers of a run that are no scores."""


def folder(output: Path, seed: int) -> Path:
    """Where the run of a seed stands."""
    return output / f"seed-{seed}"


def run_each(
    run: Callable[..., Record],
    requested: FinetuneRecipe,
    output: Path,
    resume: bool,
    overwrite: bool,
    console: Console,
    backend: TrainBackend,
) -> Record:
    """Do the runs of all seeds, `run(recipe, folder, ...)` each, and return what eval_results.json holds of them.

    With `resume` those that are finished stay as they are, and the one that was cut off goes on. Of several processes
    all call this; the first one decides and writes. ConfigError as of a single run, for the folder of any seed, before
    the first one begins.
    """
    seeds, is_first = list(requested.seeds), backend.rank() == 0
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"Seeds must differ. Received: {', '.join(map(str, seeds))}. Name each of them once.")
    if is_first:
        run_folder.require_usable(requested, output, resume, overwrite)
        for seed in seeds:
            if not resume:
                run_folder.require_usable(_of_seed(requested, seed), folder(output, seed), False, overwrite)
    if not requested.options().eval:
        console.print("Without evaluation data each seed holds out another part, so that scores differ by that, too.")
    with run_folder.locked(requested, output, resume) if is_first else contextlib.nullcontext():
        for number, seed in enumerate(seeds, start=1):
            console.print(f"Seed {seed}, {number} of {len(seeds)}.")
            recipe, place = _of_seed(requested, seed), folder(output, seed)
            state = backend.broadcast(_state(recipe, place) if resume else _NEW)  # before one of them changes it
            _run_one(run, recipe, place, state, overwrite or resume, console)
        if is_first:
            run_folder.remove_model(output)
            storage.write_json(output / RESULTS, put_together(output, seeds))
            requested.save(output / run_folder.RECIPE)
            run_folder.forget(output)
    backend.broadcast(0)  # the others wait for what the first one writes
    results = _read(output / RESULTS)
    console.print(described(results, output))
    return results


def put_together(output: Path, seeds: Sequence[int]) -> Record:
    """Median and standard deviation of each score over the runs of the seeds, and the folder of the best model."""
    found = [_read(folder(output, seed) / RESULTS) for seed in seeds]
    resolved = _read(folder(output, seeds[0]) / "run.json")["resolved"]
    metric = resolved["training"]["metric"]
    is_lower = metric in registry.get_trainable(resolved["task"]).lower_is_better
    names = [name for name, value in found[0].items() if isinstance(value, float) and name not in _COUNTS]
    scores = {name: _spread([one[name] for one in found if name in one]) for name in names}
    best = (min if is_lower else max)(range(len(seeds)), key=lambda number: found[number][metric])
    warnings = {str(seed): one["warning"] for seed, one in zip(seeds, found, strict=True) if "warning" in one}
    return {
        "seeds": list(seeds),
        "metric": metric,
        "scores": scores,
        "best_seed": seeds[best],
        "best_model": folder(output, seeds[best]).name,
        **({"warnings": warnings} if warnings else {}),
    }


def described(results: Record, output: Path) -> str:
    """The scores together, for a person."""
    rows = [
        f"{name} {one['median']:.4f} ± {one['standard_deviation']:.4f} ({one['lowest']:.4f} to {one['highest']:.4f})"
        for name, one in results["scores"].items()
    ]
    head = f"{len(results['seeds'])} seeds, median and standard deviation: "
    return f"{head}{' · '.join(rows)}. The best by {results['metric']}: {output / results['best_model']}"


def _run_one(
    run: Callable[..., Record], recipe: FinetuneRecipe, place: Path, state: int, overwrite: bool, console: Console
) -> None:
    """The run of one seed, or nothing where it is done."""
    if state == _DONE:
        console.print(f"{place} is finished.")
        return
    goes_on = state == _BEGUN
    run(recipe, place, resume=goes_on, overwrite=not goes_on and overwrite, console=console)


def _state(recipe: FinetuneRecipe, place: Path) -> int:
    """How far the run of one seed is."""
    if _is_done(recipe, place):
        return _DONE
    return _NEW if run_folder.begun(place) is None else _BEGUN


def _is_done(recipe: FinetuneRecipe, place: Path) -> bool:
    """Whether a folder holds the finished run of this very recipe."""
    path = run_folder.finished(place)
    if path is None or not (place / RESULTS).exists():
        return False
    return not type(recipe).load(path, {}).differences(recipe)


def _of_seed(recipe: FinetuneRecipe, seed: int) -> FinetuneRecipe:
    return recipe.model_copy(update={"seed": seed, "seeds": []})


def _spread(values: Sequence[float]) -> Record:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    bounds = {"lowest": min(values), "highest": max(values)}
    return {"median": statistics.median(values), "standard_deviation": deviation, **bounds, "each": list(values)}


def _read(path: Path) -> Record:
    return json.loads(path.read_text(encoding="utf-8"))
