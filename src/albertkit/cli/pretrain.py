"""albertkit pretrain RECIPE: train an ALBERT on a corpus."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def command(
    output: Annotated[Path, Option(help="Folder to write the model and its results to.")],
    recipe: Annotated[Path | None, Argument(help="TOML recipe; options override it.")] = None,
    corpus: Annotated[str | None, Option(help="Folder that `albertkit corpus build` made.")] = None,
    model: Annotated[
        str | None, Option(help="A size (base, large, ...) for a fresh model, or a checkpoint to go on from.")
    ] = None,
    objective: Annotated[str | None, Option(help="mlm, mlm+sop or mlm+nsp.")] = None,
    framework: Annotated[
        str | None, Option(help="torch, tensorflow, flax, or auto: the first that is installed.")
    ] = None,
    steps: Annotated[int | None, Option(help="Steps of the whole run.")] = None,
    batch_size: Annotated[int | None, Option(help="Rows a step.")] = None,
    length: Annotated[int | None, Option(help="Tokens of a row.")] = None,
    learning_rate: Annotated[float | None, Option(help="Peak learning rate.")] = None,
    seed: Annotated[int | None, Option(help="Seed of everything random.")] = None,
    settings: Annotated[list[str] | None, Option("--set", help="Any key of the recipe: section.key=value.")] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with a run that was cut off.")] = False,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace what the output folder holds.")] = False,
) -> None:
    """Pre-train a fresh ALBERT, or go on with one, on masked pieces and the order of texts."""
    from albertkit.training import folder, pretrain
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
    if resume and recipe is None:
        recipe = folder.begun(output)
    pretrain.run(PretrainRecipe.load(recipe, overrides, settings or ()), output, resume=resume, overwrite=overwrite)
