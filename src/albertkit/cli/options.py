"""The options that all commands with a recipe have: what a run starts from, where it writes, and how it goes on."""

from pathlib import Path
from typing import Annotated

from typer import Option

Output = Annotated[Path, Option(help="Folder to write the model and its results to.")]
Model = Annotated[str | None, Option(help="A checkpoint, or a size (base, large, ...) for a fresh model.")]
Framework = Annotated[str | None, Option(help="torch, tensorflow, flax, or auto: the first that is installed.")]
LearningRate = Annotated[float | None, Option(help="Peak learning rate.")]
Seed = Annotated[int | None, Option(help="Seed of everything random.")]
Settings = Annotated[list[str] | None, Option("--set", help="Any key of the recipe: section.key=value.")]
Resume = Annotated[bool, Option("--resume", help="Go on with a run that was cut off.")]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace what the output folder holds.")]
