"""albertkit recipe: the recipes that come with the package."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from typer import Argument

app = typer.Typer(help="Show the recipes that come with the package.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Show the recipes that come with the package."""


@app.command("list")
def list_all() -> None:
    """Their names, what they train, and what they are for."""
    from albertkit.training import named_recipes

    table = Table("name", "task", "for", show_lines=True)
    for recipe in named_recipes.all_recipes():
        table.add_row(recipe.name, recipe.task, recipe.about)
    Console(highlight=False, markup=False, emoji=False).print(table)


@app.command("show")
def show(name: Annotated[str, Argument(help="Name of a recipe, as `albertkit recipe list` gives it.")]) -> None:
    """Print a recipe, to be read or to be changed: albertkit recipe show NAME > my.toml."""
    from albertkit.training import named_recipes

    typer.echo(named_recipes.get(name).text, nl=False)
