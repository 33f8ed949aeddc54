"""albertkit finetune TASK: train a head on a data set."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from albertkit.cli import options

app = typer.Typer(help="Fine-tune a model on a task.", no_args_is_help=True)


@app.command("text-classification")
def text_classification(
    output: options.Output,
    train: Annotated[str | None, Option(help="Training data: .csv, .tsv, .jsonl or .parquet.")] = None,
    eval: Annotated[str | None, Option(help="Evaluation data; default: a part of the training data.")] = None,
    model: options.Model = None,
    tokenizer: Annotated[str | None, Option(help="Tokenizer, if not the checkpoint's own.")] = None,
    recipe: Annotated[Path | None, Option(help="TOML recipe; options here override it.")] = None,
    framework: options.Framework = None,
    text_column: Annotated[str | None, Option(help="Column of the text; default: by the usual names.")] = None,
    pair_column: Annotated[str | None, Option(help="Column of the second text of a pair.")] = None,
    label_column: Annotated[str | None, Option(help="Column of the label; default: by the usual names.")] = None,
    header: Annotated[str | None, Option(help="Comma-separated column names of a file without a header.")] = None,
    problem: Annotated[str | None, Option(help="auto, single, multi or regression.")] = None,
    epochs: Annotated[float | None, Option(help="Passes over the training data.")] = None,
    batch_size: Annotated[int | None, Option(help="Examples a step.")] = None,
    learning_rate: options.LearningRate = None,
    max_length: Annotated[int | None, Option(help="Longest input in tokens.")] = None,
    seed: options.Seed = None,
    settings: options.Settings = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Classes, several classes at once, or a number, for texts or pairs of texts."""
    from albertkit.training import finetune, run_folder
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
        recipe = run_folder.begun(output)
    finetune.run(Recipe.load(recipe, overrides, settings or ()), output, resume=resume, overwrite=overwrite)
