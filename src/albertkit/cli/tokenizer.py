"""albertkit tokenizer: learn a vocabulary from text."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from albertkit.cli import options

app = typer.Typer(help="Make tokenizers.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Make tokenizers."""


@app.command("train")
def train(
    inputs: Annotated[list[str], Argument(help="Files, folders, or patterns in quotes; .gz, .xz, .bz2, .zst too.")],
    output: Annotated[Path, Option(help="Folder to write the tokenizer to.")],
    format: options.Format = "auto",
    text_field: options.TextField = "text",
    skip_broken: options.SkipBroken = False,
    vocab_size: Annotated[int, Option(help="Entries of the vocabulary, special tokens among them.", min=16)] = 30000,
    keep_case: Annotated[bool, Option("--keep-case", help="Do not lower-case.")] = False,
    keep_accents: Annotated[bool, Option("--keep-accents", help="Do not take accents off.")] = False,
    character_coverage: Annotated[float, Option(help="Part of all characters that pieces must spell.")] = 0.99995,
    sentences: Annotated[int, Option(help="Lines to learn from at most, drawn at random.")] = 10_000_000,
    seed: Annotated[int, Option(help="Seed of that draw.")] = 0,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace the tokenizer that is there.")] = False,
) -> None:
    """Learn a SentencePiece vocabulary with the options of the original ALBERT."""
    from albertkit.corpus.inputs import find_readable_files
    from albertkit.corpus.reader import ReaderOptions, read_lines
    from albertkit.tokenization import train

    files = find_readable_files(inputs, output, typer.echo)
    tokenizer = train.train(
        read_lines(files, ReaderOptions(format, text_field, skip_broken), typer.echo),
        vocab_size,
        output,
        do_lower_case=not keep_case,
        keep_accents=keep_accents,
        character_coverage=character_coverage,
        sentences=sentences,
        seed=seed,
        overwrite=overwrite,
        note=typer.echo,
    )
    typer.echo(f"{tokenizer} written to {output}")


@app.command("characters")
def characters(
    listed: Annotated[Path, Argument(help="A text file with every character, in any number of lines.")],
    output: Annotated[Path, Option(help="Folder to write the tokenizer to.")],
    overwrite: Annotated[bool, Option("--overwrite", help="Replace the tokenizer that is there.")] = False,
) -> None:
    """Make a vocabulary of single characters, such as phonemes, in the order in which a file first has them."""
    from albertkit import storage
    from albertkit.tokenization import train

    text = storage.read_text(listed).removeprefix("\ufeff")
    found = [character for character in dict.fromkeys(text) if not character.isspace()]
    tokenizer = train.from_characters(found, output, overwrite=overwrite)
    typer.echo(f"{tokenizer} written to {output}")
