"""albertkit finetune TASK: train a head on a data set."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

app = typer.Typer(help="Fine-tune a model on a task.", no_args_is_help=True)


@app.command("text-classification")
def text_classification(
    output: Annotated[Path, Option(help="Folder to write the model and its results to.")],
    train: Annotated[str | None, Option(help="Training data: .csv, .tsv, .jsonl or .parquet.")] = None,
    eval: Annotated[str | None, Option(help="Evaluation data; default: a part of the training data.")] = None,
    model: Annotated[str | None, Option(help="A checkpoint, or a size (base, large, ...) for a fresh model.")] = None,
    tokenizer: Annotated[str | None, Option(help="Tokenizer, if not the checkpoint's own.")] = None,
    recipe: Annotated[Path | None, Option(help="TOML recipe; options here override it.")] = None,
    framework: Annotated[
        str | None, Option(help="torch, tensorflow, flax, or auto: the first that is installed.")
    ] = None,
    text_column: Annotated[str | None, Option(help="Column of the text; default: by the usual names.")] = None,
    pair_column: Annotated[str | None, Option(help="Column of the second text of a pair.")] = None,
    label_column: Annotated[str | None, Option(help="Column of the label; default: by the usual names.")] = None,
    header: Annotated[str | None, Option(help="Comma-separated column names of a file without a header.")] = None,
    problem: Annotated[str | None, Option(help="auto, single, multi or regression.")] = None,
    epochs: Annotated[float | None, Option(help="Passes over the training data.")] = None,
    batch_size: Annotated[int | None, Option(help="Examples a step.")] = None,
    learning_rate: Annotated[float | None, Option(help="Peak learning rate.")] = None,
    max_length: Annotated[int | None, Option(help="Longest input in tokens.")] = None,
    seed: Annotated[int | None, Option(help="Seed of everything random.")] = None,
    settings: Annotated[list[str] | None, Option("--set", help="Any key of the recipe: section.key=value.")] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with a run that was cut off.")] = False,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace what the output folder holds.")] = False,
) -> None:
    """Classes, several classes at once, or a number, for texts or pairs of texts."""
    from albertkit.training import finetune, folder
    from albertkit.training.recipe import Recipe

    overrides = {
        "framework": framework,
        "seed": seed,
        "model.name": model,
        "model.tokenizer": tokenizer,
        "data.train": train,
        "data.eval": eval,
        "data.header": None if header is None else [name.strip() for name in header.split(",")],
        "data.text_column": text_column,
        "data.pair_column": pair_column,
        "data.label_column": label_column,
        "data.problem": problem,
        "data.max_length": max_length,
        "training.epochs": epochs,
        "training.batch_size": batch_size,
        "training.learning_rate": learning_rate,
    }
    if resume and recipe is None:
        recipe = folder.begun(output)
    finetune.run(Recipe.load(recipe, overrides, settings or ()), output, resume=resume, overwrite=overwrite)
