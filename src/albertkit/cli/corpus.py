"""albertkit corpus: text to what pre-training reads, and what such a corpus holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from typer import Argument, Option

from albertkit.cli import engines, options

if TYPE_CHECKING:
    from albertkit.corpus.shards import Corpus
    from albertkit.distributed.cluster import Cluster
    from albertkit.ordered_map import Workers
    from albertkit.tokenization.base import AlbertTokenizerBase

app = typer.Typer(help="Make the corpus that a model is pre-trained on.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Make the corpus that a model is pre-trained on."""


@app.command("build")
def build(
    inputs: Annotated[list[str], Argument(help="Files, folders, or patterns in quotes; .gz, .xz, .bz2, .zst too.")],
    output: Annotated[Path, Option(help="Folder to write the corpus to; a build cut off there goes on.")],
    tokenizer: Annotated[str, Option(help="A tokenizer: a folder, a name on the hub, or a spiece.model.")],
    format: options.Format = "auto",
    text_field: options.TextField = "text",
    language: Annotated[
        str, Option(help="Language whose rules end sentences: en, ja, ...; two letters if it has them.")
    ] = "en",
    sentences: Annotated[str, Option(help="split: by those rules; lines: a sentence a line.")] = "split",
    line_breaks: Annotated[
        str, Option(help="Under split, one ends a paragraph, or is a space: wrapped text.")
    ] = "paragraph",
    deduplicate: Annotated[bool, Option("--deduplicate", help="Leave out documents whose text came before.")] = False,
    skip_broken: options.SkipBroken = False,
    workers: Annotated[
        int | None, Option(help="Processes, or workers of a cluster.", show_default="all cores, 16 at most")
    ] = None,
    shard_tokens: Annotated[int, Option(help="Least tokens of a shard; texts come by the million characters.")] = 2**24,
    overwrite: Annotated[bool, Option("--overwrite", help="Begin anew, whatever corpus is there.")] = False,
    engine: engines.Engine = "local",
    address: engines.Address = None,
    cpus_per_worker: engines.CpusPerWorker = None,
) -> None:
    """Documents to shards of ids: text, JSON lines, Parquet, WikiExtractor output."""
    from albertkit import hub
    from albertkit.corpus import builder, statistics
    from albertkit.corpus.build_progress import BuildProgress
    from albertkit.corpus.reader import ReaderOptions
    from albertkit.corpus.sentences import SentenceSplitter
    from albertkit.tokenization.fast import AlbertTokenizerFast

    settings = builder.BuildSettings(
        ReaderOptions(format, text_field, skip_broken),
        SentenceSplitter(language, sentences, line_breaks),
        deduplicate,
        shard_tokens,
    )
    cluster = engines.cluster(engine, address, workers, cpus_per_worker, None)
    is_file = hub.local_path(tokenizer).is_file()
    loaded = AlbertTokenizerFast(tokenizer) if is_file else AlbertTokenizerFast.from_pretrained(tokenizer)
    with BuildProgress(Console(highlight=False, markup=False, emoji=False)) as bar:
        corpus = builder.build(
            inputs,
            output,
            loaded,
            settings,
            processes=None if cluster else workers,
            elsewhere=_actors(cluster),
            overwrite=overwrite,
            note=bar.print,
            progress=bar.update,
        )
    _report_unknown(corpus, loaded)
    left_out = statistics.describe_left_out(corpus)
    typer.echo(f"{corpus}{f'; left out: {left_out}' if left_out else ''}")


def _actors(cluster: "Cluster | None") -> "Workers | None":
    """The workers of a cluster, if there is one."""
    if cluster is None:
        return None
    from albertkit.distributed.actors import Actors

    return Actors(cluster)


def _report_unknown(corpus: "Corpus", tokenizer: "AlbertTokenizerBase") -> None:
    """Say so where the vocabulary does not know many of the texts."""
    from albertkit.tokenization.unknown import REPORTED_SHARE, likely_cause

    unknown = corpus.statistics.get("unknown_tokens", 0)
    if unknown > REPORTED_SHARE * corpus.tokens:
        told = f"{unknown:,} of {corpus.tokens:,} tokens are unknown to the vocabulary. {likely_cause(tokenizer)}"
        typer.echo(told, err=True)


@app.command("info")
def info(folder: Annotated[Path, Argument(help="Folder of a corpus.")]) -> None:
    """Documents, sentences, tokens, lengths, unknown rate, fingerprint and settings."""
    from albertkit.corpus import statistics
    from albertkit.corpus.shards import Corpus

    corpus = Corpus.open(folder)
    console = Console(highlight=False, markup=False, emoji=False)
    table = Table(show_header=False)
    for name, value in statistics.summarize(corpus):
        table.add_row(name, value)
    console.print(table)
    for name, title in (("sentence_lengths", "sentences"), ("document_lengths", "documents")):
        rows = statistics.describe_bins(corpus.statistics, name)
        bins = Table("tokens", title, "share", "")
        for words, count in rows:
            share = count / sum(other for _, other in rows)
            bins.add_row(words, f"{count:,}", f"{share:.1%}", "█" * round(40 * share))
        if rows:
            console.print(bins)
    for key, value in corpus.head["settings"].items():
        console.print(f"{key}: {value}")
