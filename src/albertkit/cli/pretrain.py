"""albertkit pretrain RECIPE: train an ALBERT on a corpus."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from albertkit.cli import engines, options


def command(
    output: options.Output,
    recipe: Annotated[
        Path | None,
        Argument(help="TOML recipe, or the name of one of the package; options override it.", show_default=False),
    ] = None,
    corpus: Annotated[str | None, Option(help="Folder that `albertkit corpus build` made.")] = None,
    model: options.Model = None,
    objective: Annotated[str | None, Option(help="mlm, mlm+sop or mlm+nsp.", show_default="mlm+sop")] = None,
    framework: options.Framework = None,
    steps: Annotated[int | None, Option(help="Steps of the whole run.", show_default="125000")] = None,
    batch_size: Annotated[int | None, Option(help="Rows a step.", show_default="4096")] = None,
    length: Annotated[int | None, Option(help="Tokens of a row.", show_default="512")] = None,
    learning_rate: options.LearningRate = None,
    seed: options.Seed = None,
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
    """Pre-train a new ALBERT, or go on with one, on masked pieces and the order of texts."""
    from albertkit.prediction import limits

    limits.train()
    from albertkit.training import pretrain, run_folder
    from albertkit.training.pretrain_recipe import PretrainRecipe

    overrides = {
        "framework": framework,
        "seed": seed,
        "model.name": model,
        "data.corpus": corpus,
        "data.objective": objective,
        "data.length": length,
        "training.steps": steps,
        "training.batch_size": batch_size,
        "training.learning_rate": learning_rate,
    }
    loaded = PretrainRecipe.load(recipe or run_folder.own_recipe(output, resume, extend_to), overrides, settings or ())
    cluster = engines.cluster(engine, address, workers, cpus_per_worker, gpus_per_worker)
    train = engines.trained_by(pretrain.run, cluster)
    train(loaded, output, resume=resume, overwrite=overwrite, extend_to=extend_to)
