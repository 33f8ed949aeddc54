"""Fine-tuning any task: data files and a recipe in, a folder with the trained model and its results out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from albertkit import backends
from albertkit.backends import Outputs, TrainBackend
from albertkit.batches import Batch
from albertkit.errors import ConfigError
from albertkit.tasks import registry, trained_on
from albertkit.training import finetune_data, finetune_evaluation, finetune_plan, loop, model_card, reporter, run_folder
from albertkit.training.backends import train_backend
from albertkit.training.finetune_figures import BestFigures
from albertkit.training.recipe import FinetuneRecipe
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
) -> Record:
    """Train what the recipe says and write everything to `output`: returns the contents of its eval_results.json.

    A run that was cut off goes on with `resume`, and a finished one with `extend_to`, up to so many steps. A folder
    that holds what a run writes is only replaced with `overwrite`, and not before there is data to train on. Raises
    ConfigError, InputError, CheckpointError or TrainingError, and Interrupted at Ctrl-C; see `albertkit.errors`.
    """
    console = console or Console(highlight=False, soft_wrap=True, markup=False)
    requested = requested.model_copy(update={"framework": backends.resolve(requested.framework)})
    backend = _backend(requested.framework)
    requested, extended = run_folder.agreed(requested, output, resume=resume, overwrite=overwrite, extend_to=extend_to)
    run_folder.require_usable(requested, output, resume, overwrite or bool(extend_to))
    task = registry.get_trainable(requested.task)
    data = finetune_data.prepare(task, requested, console)
    start, options = data.start, data.options
    given = options, start.config, start.is_new, len(data.trained.features)
    recipe = finetune_plan.resolved(task, requested, *given)
    earlier = extended and finetune_plan.resolved(task, extended, *given)
    batches, plan = finetune_plan.planned(task, backend, recipe, start, data.trained)
    extends = finetune_plan.fingerprint(earlier, data.trained.features) if earlier else ""
    plan = replace(plan, is_resumed=resume, extends=extends)
    if extend_to and earlier:
        console.print(described_change(finetune_plan.schedule_of(earlier), plan.schedule))

    best = BestFigures(output / run_folder.CHECKPOINTS)

    def evaluate(forward: Callable[[Batch], Outputs]) -> dict[str, float]:
        return finetune_evaluation.scores(task, forward, data.evaluated, start.config, best.note)

    with run_folder.locked(requested, output, resume or bool(extend_to)):
        with reporter.Reporter(output, console, plan.schedule.steps, on_best=best.keep) as callback:
            tensors, course = loop.train(plan, batches, evaluate, output / run_folder.CHECKPOINTS, callback)
        counted = {"examples": len(data.evaluated), "data": data.evaluated.examples.path}
        counted["epoch"] = round(course.best_step / len(batches), 3)
        results = {**course.best_evaluation(), **counted}
        names = list(start.config.id2label.values()) if data.has_classes else []
        figures = best.of(course.best_step)
        card = model_card.model_card(recipe, results, len(data.trained), names, start.provenance, figures)
        start.tokenizer.model_max_length = options.max_length
        start = replace(start, config=trained_on.with_fitted(start.config, task.fitted(results)))
        run_folder.finish(output, requested, recipe, plan, start, tensors, results, card, figures)
    return results


def _backend(framework: str) -> TrainBackend:
    """The backend of a framework. ConfigError where a launcher has started several processes."""
    backend = train_backend(framework)
    backend.init_processes()
    if (count := backend.world_size()) > 1:
        raise ConfigError(
            f"Fine-tuning runs in one process. Received: {count}. Start it without torchrun, or as one task of Slurm; "
            "several are for `albertkit pretrain`."
        )
    return backend
