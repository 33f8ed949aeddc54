"""albertkit finetune TASK: train a head on a data set. The options of a task's data come from the task itself."""

import dataclasses
import inspect
import types
import typing
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option
from typer.core import TyperGroup

from albertkit.cli import engines, options
from albertkit.cli.script_options import EPILOG, ScriptCommand

if typing.TYPE_CHECKING:
    from albertkit.tasks.base import TrainableTask


class _Tasks(TyperGroup):
    """A command for each task that can be trained, made when it is asked for."""

    # Typer brings a Click of its own or uses the installed one, by its version: neither is named here.
    def list_commands(self, ctx: Any) -> list[str]:
        from albertkit.tasks import registry

        return registry.trainable_names()

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        from albertkit.tasks import registry

        registry.get_trainable(args[0])  # an error that names the nearest task
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from albertkit.tasks import registry

        if registry.full_name(cmd_name) not in self.list_commands(ctx):
            return None
        single = typer.Typer(add_completion=False)
        single.command(cmd_name, cls=ScriptCommand, epilog=EPILOG)(_command(registry.get_trainable(cmd_name)))
        return typer.main.get_command(single)


app = typer.Typer(help="Fine-tune a model on a task.", no_args_is_help=True, cls=_Tasks)


def _shared(
    output: options.Output,
    model: options.Model = None,
    tokenizer: Annotated[
        str | None, Option(help="Another tokenizer.", show_default="the checkpoint's, or a learned one")
    ] = None,
    recipe: Annotated[
        Path | None,
        Option(help="TOML recipe, or the name of one of the package; options here override it.", show_default=False),
    ] = None,
    framework: options.Framework = None,
    epochs: Annotated[float | None, Option(help="Passes over the training data.", show_default="3.0")] = None,
    batch_size: Annotated[int | None, Option(help="Examples a step.", show_default="32")] = None,
    learning_rate: options.LearningRate = None,
    early_exit: Annotated[
        bool | None, Option("--early-exit", help="Train to answer after every layer, so that texts may stop early.")
    ] = None,
    seed: options.Seed = None,
    seeds: Annotated[
        str | None, Option(help="Several seeds, 1,2,3 or 1 2 3: a run each, and their scores together.")
    ] = None,
    settings: options.Settings = None,
    resume: options.Resume = False,
    extend_to: options.ExtendTo = None,
    overwrite: options.Overwrite = False,
    engine: engines.Engine = "local",
    address: engines.Address = None,
    workers: engines.Workers = None,
    cpus_per_worker: engines.CpusPerWorker = None,
    gpus_per_worker: engines.GpusPerWorker = None,
) -> None:
    """The options that all tasks have."""


def _command(task: "TrainableTask[Any, Any]") -> types.FunctionType:
    """A function whose signature is that of the command, from which Typer makes its options."""

    def command(
        output: Path,
        recipe: Path | None,
        settings: list[str] | None,
        resume: bool,
        extend_to: int | None,
        overwrite: bool,
        engine: str,
        address: str | None,
        workers: int | None,
        cpus_per_worker: float | None,
        gpus_per_worker: float | None,
        **values: Any,
    ) -> None:
        from albertkit.prediction import limits

        limits.train()
        from albertkit.training import finetune, run_folder
        from albertkit.training.recipe import FinetuneRecipe

        recipe = recipe or run_folder.own_recipe(output, resume, extend_to)
        for field in dataclasses.fields(task.options):
            if field.default_factory is not dataclasses.MISSING:  # a list
                values[field.name] = options.split(values[field.name])
        values["seeds"] = options.numbers(values["seeds"], "--seeds")
        overrides = {_KEYS.get(name, f"data.{name}"): value for name, value in values.items()}
        loaded = FinetuneRecipe.load(recipe, overrides, settings or (), task.name)
        cluster = engines.cluster(engine, address, workers, cpus_per_worker, gpus_per_worker)
        train = engines.trained_by(finetune.run, cluster)
        train(loaded, output, resume=resume, overwrite=overwrite, extend_to=extend_to)

    shared = dict(inspect.signature(_shared).parameters)
    if not task.can_exit_early:
        del shared["early_exit"]
    own = [_parameter(field) for field in dataclasses.fields(task.options)]
    first, *rest = (one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in shared.values())
    command.__signature__ = inspect.Signature([first, *own, *rest])  # type: ignore[attr-defined]  # inspect reads it from any function
    command.__annotations__ = {one.name: one.annotation for one in (first, *own, *rest)}
    command.__doc__ = inspect.getdoc(type(task))
    return command


_KEYS = {
    "model": "model.name",
    "tokenizer": "model.tokenizer",
    "framework": "framework",
    "seed": "seed",
    "seeds": "seeds",
    "epochs": "training.epochs",
    "batch_size": "training.batch_size",
    "learning_rate": "training.learning_rate",
    "early_exit": "training.early_exit",
}
"""The recipe's keys of options that are not of the data."""


def _parameter(field: "dataclasses.Field[Any]") -> inspect.Parameter:
    """A parameter for an option of the data; None, its default, leaves the recipe's value alone."""
    kind, called = field.type, (field.name.replace("_", "-"), *field.metadata["aliases"])
    names = [f"--{name}/--no-{name}" if field.default is True else f"--{name}" for name in called]
    shown = str(field.default).lower() if kind is bool else str(field.default)
    told = False if field.default in ("", dataclasses.MISSING) else shown
    option = Option(*names, help=field.metadata["help"], show_default=told)
    if kind is bool:
        annotation = Annotated[bool | None, option]
    else:
        value = kind if kind in (int, float) else str  # lists are split at commas, choices are checked by the recipe
        annotation = Annotated[value | None, option]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
