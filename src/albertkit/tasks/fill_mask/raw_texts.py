"""Raw text to train a masked language model on: lines of a text file, or a column of a table."""

import lzma
import zlib
from dataclasses import dataclass, replace

from albertkit.errors import InputError, NoRows
from albertkit.tasks import tables, texts
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.data_options import option
from albertkit.tasks.tables import Table
from albertkit.tasks.texts import TextExamples, TextOptions

ENDING = ".txt"


@dataclass(frozen=True)
class MaskedLMOptions(TextOptions):
    """Which column holds the text, how texts become rows, and what is masked in them."""

    line_by_line: bool = option(False, "Rows of one text each; otherwise texts fill whole windows.", is_kept=True)
    mlm_probability: float = option(0.15, "Share of the pieces to predict.", is_kept=True, gt=0, lt=1)
    whole_word_mask: bool = option(True, "Mask whole words, not pieces by themselves.", is_kept=True)
    ngram: int = option(3, "Words, or pieces, masked together at most.", is_kept=True, ge=1)


def read(path: str, options: MaskedLMOptions) -> tuple[TextExamples, MaskedLMOptions]:
    """The texts of a file, and the options with the column that was found.

    Of a .txt, plain or compressed, the lines that hold something; of a table the rows of one column. InputError names
    rows without text, unless `skip_bad_rows` leaves them out, and a file that holds no text at all.
    """
    if options.pair_column:
        raise InputError(
            f"A masked language model reads one column of text. Received: `pair_column` {options.pair_column!r}. Leave "
            "it out, and write what else is to be read as rows of that column."
        )
    if _is_text(path):
        return _nonempty(texts.taken(_lines(path), replace(options, text_column="text")), path), options
    bad = BadRows(path, options.skip_bad_rows)
    table = tables.read(path, options.header, bad)
    found = replace(texts.with_columns(table, options), pair_column="")
    if not options.text_column:
        texts.tell_of_others(table, found)
    examples = texts.taken(table, found, bad=bad)
    known = {row.place for row in bad.found}
    empty = [table.places([row]) for row, text in enumerate(examples.first) if not text.strip()]
    bad.add_all([place for place in empty if place not in known], len(table), "Every row needs a text.")
    return replace(_nonempty(examples, path), left_out=bad.found), found


def _is_text(path: str) -> bool:
    return tables.without_packing(path).suffix.lower() == ENDING


def _lines(path: str) -> Table:
    """All lines of a text file. InputError where it is missing, cut short or no text."""
    found, numbers = [], []
    try:
        with tables.open_bytes(path) as file:
            for table in tables.lines(file, path):
                found += table.columns["text"]
                numbers += table.lines
    except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise InputError(
            f"A file of texts must be there and whole. Reading {path} failed: {error}. If a copy was cut short, repeat "
            "it."
        ) from error
    return Table(path, {"text": found}, numbers)


def _nonempty(examples: TextExamples, path: str) -> TextExamples:
    kept = examples.take(number for number, text in enumerate(examples.first) if text.strip())
    if not len(kept):
        raise NoRows(f"A data file must hold at least one text. {path} holds none.")
    return kept
