"""What is finished of a run: the bytes of a block first, then a line that says so, each forced onto the disk.

A run keeps this in a folder of its own beside its output, until that is complete:

    begun.json       what the run is bound to: model, settings and inputs
    journal.jsonl    a line for each block: where the next one begins, how long the outputs are, what was counted
    output-00000     the bytes of a part of the output; left-out-00000 of the rows that no condition keeps

A line that is not whole, and bytes that no line speaks of, are of a block that was being written: they are cut off.
"""

import contextlib
import gzip
import itertools
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Self

from albertkit import storage
from albertkit.errors import CheckpointError, ConfigError, InputError
from albertkit.inference import record_files
from albertkit.prediction import outputs
from albertkit.prediction.answering import Finished
from albertkit.prediction.cutting import Block, Position
from albertkit.prediction.totals import Totals
from albertkit.storage.commit import RESERVED_PREFIX
from albertkit.storage.filesystem import flush_to_disk
from albertkit.typing import Json, Record

PREFIX = f"{RESERVED_PREFIX}predict"
MANIFEST = "manifest.json"
"""In a folder of parts what they are."""
KEPT = "What is finished is kept: make room and run the same command again."
_BEGUN, _JOURNAL = "begun.json", "journal.jsonl"
CHANGED, _FREE, _OVERWRITES = "changed", "skip_bad_rows", "overwrite"
"""Settings that do not bind: when inputs were written last, which may only tell that they must be compared; bad rows,
which may be left out from where the first of them stopped a run; and whether outputs that are there are replaced."""


@dataclass(frozen=True)
class Output:
    """Where rows go: a file, or parts of so many rows in a folder."""

    path: Path
    form: str
    """One of `outputs.FORMATS`."""
    part_rows: int | None = None
    """Rows of a part at least, where the path is a folder."""
    spool: str = "output"
    """What the bytes are called while they are written."""

    def part(self, number: int) -> Path:
        """The path of a part."""
        return self.path if self.part_rows is None else self.path / f"part-{number:05d}{self.form}"

    @property
    def state(self) -> Path:
        """The folder of a run that writes there."""
        return self.path.parent / f"{PREFIX}-{self.path.name}" if self.part_rows is None else self.path / PREFIX


@dataclass
class _End:
    """How far an output is: its part, and the bytes and rows that this holds."""

    part: int = 0
    size: int = 0
    rows: int = 0


class Journal:
    """A run in its folder, which is locked as long as this is open; see `opened`."""

    def __init__(self, targets: Sequence[Output], schema: Json = None) -> None:
        self._targets, self._schema, self._state = targets, schema, targets[0].state
        self.next, self.blocks, self.totals = Position(), 0, Totals()
        """Where the next block begins, its number, and what was counted before it."""
        self.done = 0
        """Bytes of the inputs that are read."""
        self.digests: list[str] = []
        """Of each block that is finished."""
        self.is_complete = False
        """Whether all blocks are finished, and the output perhaps not yet in its place."""
        self.begun: Record = {}
        """What the run was begun with."""
        self._ends = [_End() for _ in targets]
        self._files: list[BinaryIO] = []
        self._lines: BinaryIO | None = None

    @classmethod
    @contextlib.contextmanager
    def opened(cls, targets: Sequence[Output], settings: Record, schema: Json = None) -> Iterator[Self]:
        """The journal of a run: a new one, or that of one that was cut off and had the same settings.

        ConfigError, saying what differs, where it had others; CheckpointError where another process works on it.
        """
        found = cls(targets, schema)
        with storage.translate_os_errors(found._state):
            found._state.mkdir(parents=True, exist_ok=True)
        with storage.try_exclusive_lock(found._state), contextlib.ExitStack() as stack:
            with storage.translate_os_errors(found._state, KEPT):
                for target in targets:
                    storage.clear_abandoned(target.path if target.part_rows is not None else target.path.parent)
                found._begin(settings)
                stack.callback(found._close)
                found._open()
            try:
                yield found
            finally:
                if not found.blocks:
                    found._close()
                    shutil.rmtree(found._state, ignore_errors=True)  # nothing is finished, so nothing binds
                    with contextlib.suppress(OSError):
                        if targets[0].part_rows is not None:
                            targets[0].path.rmdir()

    def commit(self, block: Block, found: Finished) -> None:
        """Write what a block has become, behind all blocks before it. CheckpointError where that fails."""
        with storage.translate_os_errors(self._targets[0].path, KEPT):
            for file, end, content, rows in zip(self._files, self._ends, found.contents, found.rows, strict=True):
                if content:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                end.size, end.rows = end.size + len(content), end.rows + rows
            self.totals = self.totals.plus(found)
            self.next, self.blocks, self.done = block.stop, block.number + 1, block.done
            self._write({"digest": block.digest})
            self._end_parts()

    def finish(self) -> None:
        """Put the output into its place, and remove what was kept. CheckpointError where that fails."""
        with storage.translate_os_errors(self._targets[0].path, KEPT):
            if not self.is_complete:
                self._write({"complete": True})
                self.is_complete = True
            for number, (target, end) in enumerate(zip(self._targets, self._ends, strict=True)):
                if target.part_rows is None or end.rows:
                    self._finish_part(number)
            self._write_manifest()
            self._close()
            (self._state / _JOURNAL).unlink()  # without it nothing is begun
            shutil.rmtree(self._state)

    def rebind(self, settings: Record) -> None:
        """Go on with settings that were found to be the same in all that matters. CheckpointError as above."""
        self.begun = {**settings, _OVERWRITES: self.begun.get(_OVERWRITES)}
        storage.write_json(self._state / _BEGUN, self.begun)

    def _begin(self, settings: Record) -> None:
        path = self._state / _BEGUN
        if not path.exists() or not self._read_lines():
            for other in self._state.iterdir():
                other.unlink()
            self.begun = settings
            storage.write_json(path, settings)
            return
        self.begun = storage.read_json(path)
        _require_same(self._state, self.begun, settings)
        for target in self._targets if not (self.is_complete or self.begun.get(_OVERWRITES)) else ():
            if target.part_rows is None:
                record_files.require_new(target.path, overwrite=False)

    def _read_lines(self) -> int:
        """Take over what the journal says, and cut off a line that is not whole. Returns how many lines there are."""
        path, size, lines = self._state / _JOURNAL, 0, 0
        self.digests.clear()
        with contextlib.suppress(FileNotFoundError), path.open("r+b") as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    self._take(json.loads(line) if line.endswith(b"\n") else json.loads(""))
                    size, lines = size + len(line), lines + 1
                    continue
                break
            file.truncate(size)
            os.fsync(file.fileno())
        return lines

    def _take(self, line: Record) -> None:
        self.next, self.blocks, self.done = Position(*line["next"]), line["block"] + 1, line["done"]
        self.totals, self._ends = Totals.from_dict(line["totals"]), [_End(*one) for one in line["outputs"]]
        self.is_complete = line.get("complete", False)
        if "digest" in line:
            self.digests.append(line["digest"])

    def _open(self) -> None:
        """Open what is written to, as long as the journal says that it is."""
        self._lines = (self._state / _JOURNAL).open("ab")
        flush_to_disk(self._state)
        for number in range(len(self._targets)):
            self._files.append(self._opened_spool(number))
        self._end_parts()

    def _spool(self, number: int) -> Path:
        return self._state / f"{self._targets[number].spool}-{self._ends[number].part:05d}"

    def _opened_spool(self, number: int) -> BinaryIO:
        path, end = self._spool(number), self._ends[number]
        is_done = self._is_full(number) or self.is_complete
        if not path.exists() and end.size and not (is_done and self._targets[number].part(end.part).exists()):
            raise CheckpointError(
                f"What a run has finished must stay until it ends. {path} is gone. Begin anew with --overwrite."
            )
        file = path.open("r+b") if path.exists() else path.open("w+b")
        if os.fstat(file.fileno()).st_size < end.size and not is_done:
            file.close()
            raise CheckpointError(
                f"What a run has finished must stay as it is. {path} is shorter than the {end.size:,} bytes that were "
                "written. Begin anew with --overwrite."
            )
        if os.fstat(file.fileno()).st_size > end.size:
            file.truncate(end.size)
        file.seek(0, os.SEEK_END)
        return file

    def _is_full(self, number: int) -> bool:
        most = self._targets[number].part_rows
        return most is not None and self._ends[number].rows >= most

    def _end_parts(self) -> None:
        """Put parts that are full into their place, and begin the next ones."""
        for number, end in enumerate(self._ends):
            if self._is_full(number):
                self._finish_part(number)
                self._ends[number] = _End(end.part + 1)
                self._files[number] = self._opened_spool(number)

    def _finish_part(self, number: int) -> None:
        target, end, file = self._targets[number], self._ends[number], self._files[number]
        path, place = self._spool(number), target.part(end.part)
        if place.exists() and not os.fstat(file.fileno()).st_size and end.size:  # a kill came behind this step
            file.close()
            path.unlink()
            return
        if not end.size and target.form == ".jsonl.gz":
            file.write(gzip.compress(b"", mtime=0))
        file.flush()
        os.fsync(file.fileno())
        file.close()
        outputs.finish(target.form, path, place, self._schema)
        flush_to_disk(place.parent)

    def _write(self, more: Record) -> None:
        """A line more."""
        line = {
            "block": self.blocks - 1,
            "next": list(asdict(self.next).values()),
            "done": self.done,
            "outputs": [[end.part, end.size, end.rows] for end in self._ends],
            "totals": self.totals.to_dict(),
            **more,
        }
        if self._lines is None:
            raise RuntimeError("The journal is not open.")
        self._lines.write(json.dumps(line).encode() + b"\n")
        self._lines.flush()
        os.fsync(self._lines.fileno())

    def _write_manifest(self) -> None:
        target = self._targets[0]
        if target.part_rows is None:
            return
        begun = storage.read_json(self._state / _BEGUN)
        parts = sorted(path.name for path in target.path.glob(f"part-*{target.form}"))
        storage.write_json(target.path / MANIFEST, {"parts": parts, **self.totals.to_dict(), "made_with": begun})

    def _close(self) -> None:
        for file in (*self._files, *([self._lines] if self._lines else [])):
            with contextlib.suppress(OSError):
                file.close()


def clear(targets: Sequence[Output]) -> None:
    """Remove what a run has left beside an output, and the parts of an earlier one.

    InputError where the folder of parts holds anything else.
    """
    target = targets[0]
    if target.part_rows is not None and target.path.is_dir():
        names = [name for name in foreign(target.path) if name != MANIFEST]
        if others := [name for name in names if not name.startswith("part-")]:
            raise InputError(
                f"--overwrite replaces answers and nothing else. {target.path} holds {others[0]} beside them. Move "
                "that away, or give another --output."
            )
        for name in (*names, MANIFEST):
            (target.path / name).unlink(missing_ok=True)
    if target.state.exists():
        with storage.try_exclusive_lock(target.state):
            shutil.rmtree(target.state)


def foreign(folder: Path) -> list[str]:
    """The names in a folder of parts that no run leaves there before its first part is finished."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(RESERVED_PREFIX))


def is_begun(target: Output) -> bool:
    """Whether a run has left something to go on with."""
    return (target.state / _JOURNAL).exists()


def _require_same(state: Path, then: Mapping[str, Json], now: Mapping[str, Json]) -> None:
    """ConfigError where a run was begun with something else."""
    if not then.get(_FREE) and now.get(_FREE):
        then = {**then, _FREE: True}
    bound = [name for name in dict.fromkeys((*now, *then)) if name not in (CHANGED, _OVERWRITES)]
    if names := [name for name in bound if then.get(name) != now.get(name)]:
        told = "; ".join(f"{name}: {_change(then.get(name), now.get(name))}" for name in names)
        raise ConfigError(
            f"A run goes on only with what it was begun with. In {state}, then and now: {told}. Give the same, or "
            "another --output, or begin anew with --overwrite."
        )


def _change(then: Json, now: Json) -> str:
    """Two values, of lists and mappings the first parts that differ."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        parts = [name for name in dict.fromkeys((*then, *now)) if then.get(name) != now.get(name)]
        path = f"{now.get('file')}, " if "file" in now and "file" not in parts else ""
        return path + ", ".join(f"{name} {_change(then.get(name), now.get(name))}" for name in parts)
    if isinstance(then, list) and isinstance(now, list):
        return _change(*next((one for one in itertools.zip_longest(then, now) if one[0] != one[1]), ("", "")))
    then, now = (one.get("file", one) if isinstance(one, dict) else one for one in (then, now))
    return f"{then if then is not None else 'nothing'} and {now if now is not None else 'nothing'}"
