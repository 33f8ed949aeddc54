"""What a command answers for: texts as arguments, a file, a data set of the hub, or lines of standard input."""

import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

import typer

from albertkit.cli import hub_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from albertkit.pipelines import Pipeline
    from albertkit.tasks.examples import Examples
    from albertkit.typing import Record


@dataclass(frozen=True)
class Source:
    """Where texts come from; standard input where nothing is named."""

    texts: list[str]
    file: str = ""
    pair: str | None = None
    """The second text of a single one."""
    hub_dataset: str = ""
    split: str = ""
    more: tuple[str, ...] = ()
    """Files behind the first one."""

    @classmethod
    def of(
        cls,
        texts: list[str],
        files: "Sequence[str]",
        pair: str | None = None,
        hub_dataset: str = "",
        split: str = "",
    ) -> Self:
        """What is meant; a text that is a file is that file. InputError where several are, or it is not clear."""
        from albertkit.errors import InputError

        file, *more = files or ("",)
        if sum(map(bool, (texts, file, hub_dataset))) > 1:
            raise InputError(
                "Texts come from arguments, from a file or from a data set of the hub. Received: more than one of "
                "them. Leave the others out."
            )
        if pair is not None and (file or hub_dataset or len(texts) != 1):
            raise InputError(f"--pair goes with one text given as an argument. Received: {len(texts)} texts.")
        if not texts and not file and not hub_dataset and sys.stdin is None:
            raise InputError("Texts come from arguments, a file or standard input. Received: none, and that is closed.")
        named = [text for text in texts if _is_path(text)]
        for folder in [] if named else filter(_is_folder, texts):
            typer.echo(
                f"{folder} is answered as a text. A folder is called so, too: for its files use --file.", err=True
            )
        found = cls(texts, file, pair, hub_dataset, split, tuple(more))
        return found._with_file(named[0]) if named else found

    def require_one(self) -> None:
        """InputError for several files, where only a run that can go on takes them."""
        from albertkit.errors import InputError

        if self.more:
            raise InputError(
                "Several files are for `albertkit predict` and `embed` with an --output of .jsonl, .parquet or a "
                f"folder. Received: {1 + len(self.more)} files without that. Name one file, or such an output."
            )

    def _with_file(self, one: str) -> Self:
        from albertkit.errors import InputError

        if len(self.texts) > 1 or self.pair is not None or not Path(one).is_file() or not _is_data(one):
            is_there = "is a file" if Path(one).is_file() else "looks like a file, and there is none"
            is_there = "is a folder" if Path(one).is_dir() else is_there
            raise InputError(
                f"A text must not be taken for a file, nor a file for a text. Received: {one!r}, which {is_there}. "
                "Pass a data file, such as .csv or .txt, with --file; texts that are called so by standard input, one "
                "a line."
            )
        typer.echo(f"{one} is a file: its texts are answered, not its name.", err=True)
        return replace(self, texts=[], file=one)

    @contextlib.contextmanager
    def parts(self, answerer: "Pipeline", data: "Record", skips: bool) -> "Iterator[Iterable[Examples]]":
        """The examples to answer, in parts, while the context lasts; `data` are options of the data.

        `skips` says to leave out rows that cannot be read. InputError for options that do not go with the source.
        """
        if not self.hub_dataset and not self.split:
            yield _parts(answerer, self, self.file, data, skips)
            return
        with hub_file.of(self.file, self.hub_dataset, self.split, "answers for") as (path, _):
            yield _parts(answerer, self, path, data, skips)


def _parts(answerer: "Pipeline", source: Source, file: str, data: "Record", skips: bool) -> "Iterable[Examples]":
    if source.texts:
        answerer.text_options(**data)
        return [answerer.task.examples(source.texts, *([] if source.pair is None else [[source.pair]]))[0]]
    return answerer.read(file or cast(io.BufferedReader, sys.stdin.buffer), **{**data, "skip_bad_rows": skips})


def _is_path(text: str) -> bool:
    """Whether an argument is a file, a folder behind a slash, or a single word with the ending of a data file."""
    with contextlib.suppress(OSError, ValueError):  # too long for a path, or with a zero byte
        if "/" in text and Path(text).is_dir():
            return True
        return Path(text).is_file() or (_is_data(text) and not any(map(str.isspace, text)))
    return False


def _is_folder(text: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return Path(text).is_dir()
    return False


def _is_data(name: str) -> bool:
    from albertkit.inference import text_files
    from albertkit.tasks import tables

    return text_files.is_text(name) or tables.is_data(name)
