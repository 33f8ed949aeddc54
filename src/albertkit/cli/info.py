"""albertkit info: what a checkpoint holds, and what it takes."""

from typing import Annotated

from rich.console import Console
from rich.table import Table
from typer import Argument, Option


def command(
    model: Annotated[str, Argument(help="A folder, a name on the hub, or a size: base, large, ...")],
    tensors: Annotated[bool, Option("--tensors", help="List every tensor with its shape.")] = False,
) -> None:
    """Parameters by part, memory, and what a checkpoint holds."""
    from albertkit.config import SIZES
    from albertkit.errors import CheckpointNotFound, did_you_mean
    from albertkit.kernels import library
    from albertkit.tools.summary import summarise

    try:
        summary = summarise(model)
    except CheckpointNotFound as error:
        raise CheckpointNotFound(f"{error}{did_you_mean(model, SIZES)}") from None
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(summary.title)
    table = Table("part", "tensors", "parameters", "float32", "bfloat16")
    for row in (*summary.parts, summary.total):
        table.add_row(row.name, str(row.tensors), f"{row.parameters:,}", row.size(4), row.size(2))
    console.print(table)
    for line in summary.notes:
        console.print(line)
    console.print(library.description())
    for name, shape in summary.shapes.items() if tensors else ():
        console.print(f"{name}  {' x '.join(map(str, shape)) or 'a number'}", soft_wrap=True)
