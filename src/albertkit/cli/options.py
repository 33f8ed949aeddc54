"""The options that several commands have: what a run starts from, where it writes, how it goes on; how text is read."""

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

Format = Annotated[str, Option(help="text, jsonl, wiki or parquet; auto: by ending and content.")]
TextField = Annotated[str, Option(help="Field of JSON lines, or column of Parquet, with the text.")]
SkipBroken = Annotated[bool, Option("--skip-broken", help="Count and leave out records without text.")]
