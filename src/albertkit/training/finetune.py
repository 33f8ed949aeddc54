"""Fine-tuning any task: data files and a recipe in, a folder with the trained model and its results out."""

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from albertkit import backends
from albertkit.arrays import Tensors
from albertkit.backends import Outputs
from albertkit.batches import Batch
from albertkit.tasks import registry, trained_on
from albertkit.tasks.base import AnyTrainableTask
from albertkit.tasks.examples import few_to_score
from albertkit.tasks.figures import Figure
from albertkit.training import (
    defaults,
    finetune_data,
    finetune_evaluation,
    finetune_plan,
    hub_data,
    loop,
    model_card,
    reporter,
    run_folder,
    seeds,
)
from albertkit.training.backends import train_backend
from albertkit.training.finetune_data import Prepared
from albertkit.training.finetune_figures import BestFigures
from albertkit.training.initial_state import InitialState
from albertkit.training.recipe import FinetuneRecipe
from albertkit.training.run_checkpoints import Progress
from albertkit.training.schedule import described_change
from albertkit.typing import Record


def run(
    requested: FinetuneRecipe,
    output: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    extend_to: int | None = None,
    console: Console | None = None,
    shared: Path | None = None,
) -> Record:
    """Train what the recipe says and write everything to `output`: returns the contents of its eval_results.json.

    A run that was cut off goes on with `resume`, and a finished one with `extend_to`, up to so many steps. A folder
    that holds what a run writes is only replaced with `overwrite`, and not before there is data to train on. Of several
    processes all must call this alike; the first one writes and speaks. Rows of the hub are put into the folder `data`
    of `shared`, by default of `output`. Raises ConfigError, InputError, CheckpointError or TrainingError, and
    Interrupted at Ctrl-C; see `albertkit.errors`.
    """
    requested = requested.model_copy(update={"framework": backends.resolve(requested.framework)})
    backend = train_backend(requested.framework)
    backend.init_processes()
    rank = backend.rank()
    console = console or Console(highlight=False, soft_wrap=True, markup=False, quiet=rank > 0)
    requested, extended = run_folder.agreed(requested, output, resume=resume, overwrite=overwrite, extend_to=extend_to)
    if requested.seeds:
        one = functools.partial(run, shared=output)
        return seeds.run_each(one, requested, output, resume, overwrite, console, backend)
    if rank == 0:
        run_folder.require_usable(requested, output, resume, overwrite or bool(extend_to))
    task = registry.get_trainable(requested.task)
    data = finetune_data.prepare(task, hub_data.located(requested, shared or output, backend, console), console)
    given = data.options, data.start.config, data.start.is_new, len(data.trained.features), backend.world_size()
    recipe = finetune_plan.resolved(task, requested, *given)
    _tell_of_settings(requested, recipe, data.start, console)
    earlier = extended and finetune_plan.resolved(task, extended, *given)
    batches, plan = finetune_plan.planned(task, backend, recipe, data.start, data.trained)
    extends = finetune_plan.fingerprint(earlier, data.trained.features) if earlier else ""
    plan = replace(plan, is_resumed=resume, extends=extends)
    if extend_to and earlier:
        console.print(described_change(finetune_plan.schedule_of(earlier), plan.schedule))
    best = BestFigures(output / run_folder.CHECKPOINTS)
    evaluate = _evaluation(task, data, recipe, console, best)
    with contextlib.nullcontext() if rank else run_folder.locked(requested, output, resume or bool(extend_to)):
        telling = {"is_telling": not few_to_score(len(data.evaluated)), **({} if rank else {"on_best": best.keep})}
        with reporter.Reporter(None if rank else output, console, plan.schedule.steps, **telling) as callback:
            tensors, course = loop.train(plan, batches, evaluate, output / run_folder.CHECKPOINTS, callback)
        results = _results(course, data, len(batches))
        if rank == 0:
            _finish(task, output, requested, recipe, plan, data, tensors, results, best.of(course.best_step))
    return results


def _evaluation(
    task: AnyTrainableTask, data: Prepared, recipe: FinetuneRecipe, console: Console, best: BestFigures
) -> loop.Evaluate:
    """Scores on the examples that are held out; of several processes each computes them all."""
    most_rows = recipe.training.eval_batch_size
    config = data.start.config

    def evaluate(forward: Callable[[Batch], Outputs]) -> dict[str, float]:
        return finetune_evaluation.scores(task, forward, data.evaluated, config, console.print, best.note, most_rows)

    return evaluate


def _results(course: Progress, data: Prepared, batches: int) -> Record:
    """The best evaluation, what it was on, and the epoch that it stands in."""
    counted = {"examples": len(data.evaluated), "data": data.evaluated.examples.path}
    counted["epoch"] = round(course.best_step / batches, 3)
    return {**finetune_evaluation.with_warning(course.best_evaluation()), **counted}


def _finish(
    task: AnyTrainableTask,
    output: Path,
    requested: FinetuneRecipe,
    recipe: FinetuneRecipe,
    plan: loop.Plan,
    data: Prepared,
    tensors: Tensors,
    results: Record,
    figures: Sequence[Figure],
) -> None:
    """Write what a finished run leaves."""
    start = data.start
    names = list(start.config.id2label.values()) if data.has_classes else []
    card = model_card.model_card(recipe, results, len(data.trained), names, start.provenance, figures)
    start.tokenizer.model_max_length = data.options.max_length
    start = replace(start, config=trained_on.with_fitted(start.config, task, task.fitted(results)))
    run_folder.finish(output, requested, recipe, plan, start, tensors, results, card, figures)


def _tell_of_settings(requested: FinetuneRecipe, recipe: FinetuneRecipe, start: InitialState, console: Console) -> None:
    """Say which settings nobody has given, and where they come from."""
    training, is_chosen = recipe.training.model_dump(), not requested.training.learning_rate
    length = recipe.options().max_length
    if told := defaults.described(requested.benchmark, training, length, start.config, is_chosen):
        console.print(told)
