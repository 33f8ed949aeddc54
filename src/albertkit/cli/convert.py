"""albertkit convert: any checkpoint to config.json and model.safetensors."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option


def command(
    source: Annotated[
        str, Argument(help="A folder, a name on the hub, or a checkpoint of the original code such as model.ckpt-best.")
    ],
    target: Annotated[Path, Argument(help="Folder to write to.")],
    architecture: Annotated[str | None, Option(help="Class to convert to.", show_default="by the tensors")] = None,
    config: Annotated[
        str, Option(help="Another config: a JSON file or a model.", show_default="the source's own")
    ] = "",
    dtype: Annotated[str | None, Option(help="float32, bfloat16 or float16.", show_default="as stored")] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace what the target folder holds.")] = False,
) -> None:
    """Any checkpoint (TensorFlow, Flax, PyTorch, the original code, TF-Hub) to config.json and model.safetensors."""
    from albertkit.tools.convert import convert, read_config

    options = {"architecture": architecture, "dtype": dtype, "overwrite": overwrite}
    typer.echo(str(convert(source, target, config=read_config(config) if config else None, **options)))
