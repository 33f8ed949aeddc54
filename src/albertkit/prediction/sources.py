"""A file that rows are read from: how it is read, and by what it is known again when a run goes on."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from albertkit.corpus import inputs
from albertkit.errors import InputError, NoRows
from albertkit.inference import text_files
from albertkit.pipelines import Pipeline
from albertkit.tasks import tables
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.base import AnyTask
from albertkit.tasks.data_options import DataOptions
from albertkit.typing import Record

ARRAY, PARQUET, WHOLE = "array", ".parquet", "whole"
"""Kinds of files that are not read by lines: one array of JSON, Parquet, and formats that only a task can read."""
_END = 2**16
"""Bytes at each end of a file by which it is known again."""


@dataclass(frozen=True)
class Source:
    """A file, with all that reading it anywhere in the middle needs. It can be pickled."""

    path: str
    kind: str
    """.txt, .csv, .tsv, .jsonl, or one of ARRAY, PARQUET and WHOLE."""
    options: DataOptions
    """How the task reads it, with the columns that were found in its first rows."""
    header: tuple[str, ...] = ()
    """All names of the columns of a CSV or TSV; the columns of the first rows of others."""
    has_header_line: bool = False
    """Whether the first line is that header."""
    size: int = 0
    """Bytes on disk."""
    ends: str = ""
    """A digest of its beginning and its end."""
    changed: int = 0
    """When it was last written, in nanoseconds."""

    @classmethod
    def of(cls, pipeline: Pipeline, path: str, data: Record) -> "Source":
        """A file as the task of a pipeline reads it; `data` are options of its data, by name.

        InputError for a file that is missing, empty or none that the task reads, and for options that do not fit it.
        """
        task = pipeline.task
        if text_files.is_lines(task, path):
            found = cls(path, text_files.ENDING, pipeline.text_options(**data))
            _require_first(found, pipeline)
        elif not task.is_table(path):
            found = cls(path, WHOLE, pipeline.file_options(path, **data))
        else:
            found = _of_table(cls(path, "", pipeline.file_options(path, **data)), pipeline)
        return replace(found, **fingerprint(path))

    def settings(self) -> Record:
        """What its rows depend on, for JSON, beside when it was written."""
        return {
            "file": self.path,
            "bytes": self.size,
            "ends": self.ends,
            "kind": self.kind,
            "columns": list(self.header) if self.kind != ".jsonl" else [],
            "options": asdict(self.options),
        }


def fingerprint(path: str) -> Record:
    """Size, digest of both ends and time of the last change of a file, or nothing of a folder."""
    if Path(path).is_dir():
        return {}
    status = Path(path).stat()
    digest = hashlib.blake2b(digest_size=16)
    with Path(path).open("rb") as file:
        digest.update(file.read(_END))
        file.seek(max(status.st_size - _END, 0))
        digest.update(file.read(_END))
    return {"size": status.st_size, "ends": digest.hexdigest(), "changed": status.st_mtime_ns}


def find(pipeline: Pipeline, given: Sequence[str]) -> list[str]:
    """The files that are named: each itself, or all data files of a folder or pattern, by name.

    InputError where one names nothing.
    """
    task, found = pipeline.task, dict[Path, str]()
    for one in given:
        place = Path(one)
        inside = place.is_dir() and not task.reads_folders
        if not inside and not (any(sign in one for sign in "*?[") and not place.exists()):
            found.setdefault(place.resolve(), one)
            continue
        paths = sorted(place.rglob("*") if inside else Path().glob(one) if not place.is_absolute() else _glob(place))
        shown = [path for path in paths if path.is_file() and not path.name.startswith((".", "_"))]
        data = [path for path in shown if _is_data(path, task)]
        if not data:
            raise InputError(
                f"Texts come from data files, such as .jsonl, .csv, .parquet or .txt. Received: {one}, where there is "
                "none. Name others."
            )
        for path in data:
            found.setdefault(path.resolve(), str(path))
    return list(found.values())


def with_rows(pipeline: Pipeline, paths: Sequence[str], data: Record) -> tuple[tuple[Source, ...], list[str]]:
    """Files that hold rows, and the paths of those that hold none, as what cuts data into files may leave them.

    InputError as of `Source.of`, and where no file holds any.
    """
    found: list[Source] = []
    empty: dict[str, NoRows] = {}
    for path in paths:
        try:
            found.append(Source.of(pipeline, path, data))
        except NoRows as error:
            empty[path] = error
    if not found:
        raise next(iter(empty.values()))
    return tuple(found), list(empty)


def _glob(pattern: Path) -> list[Path]:
    return list(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


def _is_data(path: Path, task: AnyTask) -> bool:
    name = inputs.strip_compression(path).name
    return text_files.is_text(name) or tables.is_data(path.name) or name.lower().endswith(task.endings)


def _of_table(source: Source, pipeline: Pipeline) -> Source:
    """A table with its kind and columns, and the options that its task finds in its first rows."""
    path, options = source.path, pipeline.task.located(source.path, source.options)
    first = next(tables.pieces(path, options.header, BadRows(path, options.skip_bad_rows)))
    ending = inputs.strip_compression(Path(path)).suffix.lower()
    if ending in (".parquet", ".pq"):
        return replace(source, kind=PARQUET, options=options, header=tuple(first.columns))
    if ending in (".csv", ".tsv"):
        names = tuple(field.strip() for field in tables.first_fields(path))
        has_line = not options.header or names == tuple(options.header)
        return replace(
            source,
            kind=ending,
            options=options,
            header=names if has_line else tuple(options.header),
            has_header_line=has_line,
        )
    with tables.open_bytes(path) as file:
        is_array = file.read(4096).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"[")
    kind = ARRAY if is_array else ".jsonl"
    return replace(source, kind=kind, options=options, header=tuple(first.columns))


def _require_first(source: Source, pipeline: Pipeline) -> None:
    """InputError where a file of texts is missing, or where it begins with something else."""
    next(iter(text_files.stream(pipeline.task, source.path, source.options)), None)
