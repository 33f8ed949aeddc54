"""albertkit score: how likely a masked language model holds the texts of a file."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from albertkit.cli import options, predict
from albertkit.cli.answer_inputs import Source

if TYPE_CHECKING:
    from albertkit.typing import Record


def command(
    model: Annotated[str, Argument(help="Folder of a model with a masked-language-model head, or its name.")],
    texts: Annotated[list[str] | None, Argument(help="Texts.", show_default="those of --file, or lines")] = None,
    data: options.AnsweredFiles = None,
    output: options.AnswerFile = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace the output file if it is there.")] = False,
    pll_metric: Annotated[
        str, Option(help="original: a piece alone is masked; within_word_l2r: the later pieces of its word, too.")
    ] = "original",
    long: Annotated[
        str, Option(help="Texts longer than --max-length: windows, truncate, or refuse, which stops there.")
    ] = "windows",
    stride: Annotated[int, Option(help="Tokens that two windows share; 0: half of them.", min=0)] = 0,
    text_column: options.TextColumn = None,
    header: options.Header = None,
    skip_bad_rows: options.SkipBadRows = False,
    max_length: options.MaxLength = None,
    batch_size: options.AnswerBatchSize = None,
    max_batch_tokens: options.MaxBatchTokens = None,
    device: options.Device = None,
    framework: options.AnsweringFramework = None,
    precision: options.Precision = None,
    trust_program: options.TrustProgram = False,
) -> None:
    """Score texts by pseudo-log-likelihood: each piece of a text is masked in turn, and the model asked for it.

    Prints a record a text, in their order, with what else stands in its row; on standard error the figures over all.
    """
    from albertkit.inference import record_files
    from albertkit.pipelines import pipeline

    source = Source.of(texts or [], data or [])
    source.require_one()
    if output:
        record_files.require_other(output, source.file)
        record_files.require_writable(output, overwrite)
    call = {"pll_metric": pll_metric, "long": long, "stride": stride}
    if long == "refuse":
        call |= {"long": "windows", "truncation": False}
    settings = options.computing(device, batch_size, max_batch_tokens, precision, trust_program=trust_program)
    scorer = pipeline("pseudo-perplexity", model, framework, max_length, **settings)
    given = options.data_options(None, text_column=text_column, header=options.split(header))
    totals = _Totals()
    try:
        with source.parts(scorer, given, skip_bad_rows) as parts:
            records = totals.watched(scorer.stream(parts, skip_bad_rows=skip_bad_rows, **call))
            predict.write_all(scorer, records, output, overwrite)
    finally:
        predict.tell(scorer)
    typer.echo(totals.described(), err=True)


@dataclass
class _Totals:
    """Sums over all texts."""

    texts: int = 0
    empty: int = 0
    in_windows: int = 0
    tokens: int = 0
    pll: float = 0.0

    def watched(self, records: "Iterator[Record]") -> "Iterator[Record]":
        for record in records:
            tokens, windows, pll = record["tokens"], record["windows"], record["pll"]
            self.texts += 1
            self.empty += not tokens
            self.in_windows += windows > 1
            self.tokens += tokens
            self.pll += pll
            yield record

    def described(self) -> str:
        if not self.tokens:
            return f"{self.texts:,} texts without a token: there is nothing to score."
        mean = self.pll / (self.texts - self.empty)
        per_token = self.pll / self.tokens
        return (
            f"{self.texts:,} texts of {self.tokens:,} tokens, {self.empty:,} of them empty and {self.in_windows:,} "
            f"read in several windows: mean pll {mean:.3f} a text and {per_token:.4f} a token, pseudo-perplexity "
            f"{math.exp(min(-per_token, 700.0)):.3f}."
        )
