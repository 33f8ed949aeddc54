"""The tree of commands."""

import typer

from albertkit.cli import (
    bench,
    calibrate,
    convert,
    corpus,
    data,
    embed,
    evaluate,
    export,
    finetune,
    info,
    predict,
    pretrain,
    push,
    quantize,
    recipe,
    score,
    tokenizer,
)
from albertkit.cli.script_options import AnsweringCommand

app = typer.Typer(
    name="albertkit",
    help="A home for ALBERT: train, fine-tune, evaluate and run A Lite BERT.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(finetune.app, name="finetune")
app.add_typer(tokenizer.app, name="tokenizer")
app.add_typer(corpus.app, name="corpus")
app.add_typer(data.app, name="data")
app.add_typer(recipe.app, name="recipe")
app.command("pretrain")(pretrain.command)
app.command("evaluate", cls=AnsweringCommand)(evaluate.command)
app.command("calibrate")(calibrate.command)
app.command("predict", cls=AnsweringCommand)(predict.command)
app.command("score")(score.command)
app.command("embed")(embed.command)
app.command("info")(info.command)
app.command("bench")(bench.command)
app.command("convert")(convert.command)
app.command("export")(export.command)
app.command("quantize")(quantize.command)
app.command("push")(push.command)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    """A home for ALBERT: train, fine-tune, evaluate and run A Lite BERT."""
    if version:
        from albertkit import __version__

        typer.echo(f"albertkit {__version__}")
        raise typer.Exit
