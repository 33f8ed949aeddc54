"""A block -> the bytes of its rows with their answers. Pure: the same bytes in any process, and in any order."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from albertkit.errors import InputError
from albertkit.inference.record_files import json_line
from albertkit.pipelines import Answered, Pipeline, pipeline
from albertkit.prediction import labelling, limits, outputs
from albertkit.prediction.cutting import Block
from albertkit.prediction.labelling import Labelling
from albertkit.prediction.sources import ARRAY, PARQUET, WHOLE, Source
from albertkit.tasks import tables
from albertkit.tasks.bad_rows import BadRow, BadRows
from albertkit.tasks.tables import Table
from albertkit.tasks.unknown import UnknownTotals
from albertkit.typing import Json, Record

RECORD = "record"
"""A column of Parquet: the row of a file without fixed columns, as JSON."""
JSON_KINDS = (".jsonl", ARRAY, WHOLE)
"""Kinds of files without columns that are known before the last row."""


@dataclass(frozen=True)
class Answering:
    """How blocks are answered: all that a process needs for it. It can be pickled."""

    model: Record
    """The arguments of `pipelines.pipeline`."""
    sources: tuple[Source, ...]
    calls: Record = field(default_factory=dict)
    """Options of a call."""
    skips: bool = False
    """Whether rows that cannot be used are left out, or end the run."""
    labels: Labelling = field(default_factory=Labelling)
    form: str = ".jsonl"
    left_out_form: str | None = None
    """The format of the file of rows that no condition keeps, if there is one."""
    schema: Json = None
    """That of Arrow for Parquet, and how many numbers each vector has for .npy and .npz."""
    kinds: Record = field(default_factory=dict)
    """Of the columns of answers, for Parquet."""
    threads: int | None = None
    """Of each process; None: as many as the framework takes by itself."""

    def load(self) -> Pipeline:
        """The pipeline, in a process of its own with so many threads."""
        limits.share_machine()
        if self.threads:
            limits.limit(self.threads)
        return pipeline(**self.model)


class Finished(NamedTuple):
    """What a block has become."""

    contents: tuple[bytes, ...]
    """For each output: the answers, and where asked for the rows that no condition keeps."""
    rows: tuple[int, ...]
    """In each of them."""
    filtered: int
    """Rows that no condition keeps, wherever they went."""
    bad: tuple[BadRow, ...]
    truncated: int
    unknown: UnknownTotals
    notes: tuple[str, ...] = ()
    """What was logged on the way, where that is told by another process."""


class Answerer:
    """Answers blocks with a model that is loaded."""

    def __init__(self, settings: Answering, loaded: Pipeline | None = None) -> None:
        self._settings, self._pipeline = settings, loaded or settings.load()

    def __call__(self, block: Block) -> Finished:
        """The rows of a block with their answers. InputError, saying where, for a row that cannot be used."""
        table, bad, answers = self.answered(block)
        source = self._settings.sources[block.start.file]
        rows = _Rows(self._settings, source, block, table, self._pipeline.record)
        for one in answers:
            rows.add(one)
        contents = rows.contents()
        return Finished(*contents, rows.filtered, *self._counted(bad))

    def answered(self, block: Block) -> tuple[Table | None, Sequence[BadRow], Iterator[Answered]]:
        """The table of a block, or None where it has examples in its place, its unreadable rows, and the answers."""
        settings, source = self._settings, self._settings.sources[block.start.file]
        table, bad = _table(source, block, settings.skips)
        parts = [block.examples] if table is None else self._pipeline.task.stream(table, source.options)
        whole = [part for part in parts if part is not None]
        return table, bad, self._pipeline.answers(whole, skip_bad_rows=settings.skips, **settings.calls)

    def _counted(self, bad: Sequence[BadRow]) -> tuple[tuple[BadRow, ...], int, UnknownTotals]:
        """What was counted of the answers that were given last."""
        return (*bad, *self._pipeline.left_out), self._pipeline.truncated, self._pipeline.unknown

    def noted(self, block: Block) -> Finished:
        """The same, with what is logged on the way in it."""
        notes, found = _logged(lambda: self(block))
        return found._replace(notes=notes)


class _Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.found[record.getMessage()] = None


def _logged(made: Callable[[], Finished]) -> tuple[tuple[str, ...], Finished]:
    root, kept = logging.getLogger("albertkit"), _Kept()
    root.addHandler(kept)
    root.propagate = False
    try:
        found = made()
    finally:
        root.removeHandler(kept)
        root.propagate = True
    return tuple(kept.found), found


def _table(source: Source, block: Block, skips: bool) -> tuple[Table | None, list[BadRow]]:
    """The table of a block, None where it has examples in its place, and its rows that cannot be read."""
    if source.kind == WHOLE:
        return None, []
    if source.kind == PARQUET:
        columns = _ArrowColumns(arrow_table(block.content))
        return Table(source.path, columns, list(block.lines)), []
    kind = ".jsonl" if source.kind == ARRAY else source.kind
    bad = BadRows(source.path, skips)
    return tables.of_lines(source.path, kind, block.content, block.lines, source.header, bad), bad.found


def arrow_table(content: bytes) -> Json:
    """A table in Arrow's format of streams, without a copy."""
    import pyarrow

    with pyarrow.ipc.open_stream(pyarrow.py_buffer(content)) as reader:
        return reader.read_all()


class _ArrowColumns(Mapping[str, list[Json]]):
    """Columns of Arrow as lists, each made when it is asked for."""

    def __init__(self, table: Json) -> None:
        self._table = table
        self._made: dict[str, list[Json]] = {}

    def __getitem__(self, name: str) -> list[Json]:
        if name not in self._made:
            if name not in self._table.column_names:
                raise KeyError(name)
            self._made[name] = self._table.column(name).to_pylist()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.column_names)

    def __len__(self) -> int:
        return self._table.num_columns


class _Rows:
    """The rows of one block as they come, and their bytes."""

    def __init__(
        self,
        settings: Answering,
        source: Source,
        block: Block,
        table: Table | None,
        record: Callable[[Answered], Record],
    ) -> None:
        """`record` makes a record of an example and its answer."""
        self._record = record
        self._settings, self._source, self._block, self._table = settings, source, block, table
        self._kept: list[tuple[int | None, Answered]] = []
        self._others: list[tuple[int | None, Answered]] = []
        self.filtered = 0

    @cached_property
    def _rows(self) -> dict[int, int]:
        """By a line the row of the table that begins there."""
        return {line: row for row, line in enumerate(self._table.lines if self._table is not None else ())}

    @cached_property
    def _numbers(self) -> dict[int, int]:
        """By a line its number in the block."""
        return {line: number for number, line in enumerate(self._block.lines)}

    @cached_property
    def _raw(self) -> list[bytes]:
        """The lines of the block as they are written."""
        return self._block.content.splitlines()

    def add(self, one: Answered) -> None:
        """The next answer."""
        line = one.examples.line(one.number)
        row = (None if line is None else self._rows.get(line)), one
        if self._settings.labels.keeps(one.answer):
            self._kept.append(row)
            return
        self.filtered += 1
        if self._settings.left_out_form:
            self._others.append(row)

    def contents(self) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
        """The bytes for each output, and the number of rows in them."""
        sinks = [(self._settings.form, self._kept)]
        if self._settings.left_out_form:
            sinks.append((self._settings.left_out_form, self._others))
        written = tuple(self._written(form, rows) for form, rows in sinks)
        return written, tuple(len(rows) for _, rows in sinks)

    def _written(self, form: str, rows: Sequence[tuple[int | None, Answered]]) -> bytes:
        if form in outputs.VECTORS:
            return outputs.vectors([one.answer for _, one in rows])
        if form != outputs.PARQUET:
            return outputs.packed(form, [self._line(*row) for row in rows])
        return outputs.tabled(self._settings.schema, self._columns(rows)) if rows else b""

    def _line(self, index: int | None, one: Answered) -> str:
        """A row as a line of JSON."""
        labels = self._settings.labels
        if not labels.fields:
            return json_line(self._record(one))
        added = labels.added(one.answer)
        if self._source.kind in JSON_KINDS:
            return labelling.into_line(self._whole(index, one), added)
        record = {name: column[index or 0] for name, column in self._columns_of_table().items()}
        labels.require_free(record, self._place_of(one))
        return json_line({**{name: None if one != one else one for name, one in record.items()}, **added})

    def _whole(self, index: int | None, one: Answered) -> str:
        """The row of a file of JSON as it is written there. InputError for one that has a field of a label already."""
        line = one.examples.line(one.number)
        text = self._raw[self._numbers[line]].decode() if line is not None and self._raw else ""
        if not text:
            raise InputError(
                "Labels go to the rows of a table or to lines of JSON, one for each answer. Received: "
                f"{self._source.path}, whose answers are for parts of rows. Leave --label-field and --score-field out."
            )
        held = [name for name in self._settings.labels.fields if name in self._columns_of_table()]
        if held and not self._settings.labels.replaces:
            self._settings.labels.require_free(json.loads(text), self._place_of(one))
        return text

    def _columns(self, rows: Sequence[tuple[int | None, Answered]]) -> Record:
        """The columns of some rows for Parquet."""
        labels, names = self._settings.labels, self._settings.schema.names
        if labels.fields:
            added = [labels.added(one.answer) for _, one in rows]
            found = {name: [record[name] for record in added] for name in labels.fields}
            return {**self._inputs(rows, [name for name in names if name not in found]), **found}
        records = [self._record(one) for _, one in rows]
        kinds = self._settings.kinds
        found = {
            name: [outputs.value(kinds.get(name), record.get(name)) for record in records]
            for name in names
            if name != RECORD or self._source.kind not in JSON_KINDS
        }
        return {**self._inputs(rows, [name for name in names if name not in found]), **found}

    def _inputs(self, rows: Sequence[tuple[int | None, Answered]], names: Sequence[str]) -> Record:
        """The rows as they went in: columns, or the text of their JSON."""
        if self._source.kind in JSON_KINDS:
            texts = [self._raw_or_shown(index, one) for index, one in rows] if names else []
            return dict.fromkeys(names, texts)
        chosen = [index or 0 for index, _ in rows]
        if self._source.kind == PARQUET and names:
            table = arrow_table(self._block.content)
            return {name: table.column(name).take(chosen).combine_chunks() for name in names}
        columns = self._columns_of_table()
        return {name: [columns[name][row] for row in chosen] for name in names}

    def _raw_or_shown(self, index: int | None, one: Answered) -> str:
        if self._settings.labels.fields:
            return self._whole(index, one).strip()
        line = one.examples.line(one.number)
        return (
            self._raw[self._numbers[line]].decode().strip()
            if line is not None and self._raw
            else json_line(one.examples.shown(one.number))
        )

    def _columns_of_table(self) -> Mapping[str, list[Json]]:
        return self._table.columns if self._table is not None else {}

    def _place_of(self, one: Answered) -> str:
        return one.examples.where([one.number])
