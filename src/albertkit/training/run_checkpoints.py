"""The checkpoints of a run: the newest ones to resume from, and the best weights, each a folder written as one step."""

import contextlib
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import safetensors.numpy

from albertkit import storage
from albertkit.arrays import Tensors
from albertkit.config import CONFIG_FILE
from albertkit.errors import CheckpointError, TrainingError
from albertkit.tokenization import files as tokenizer_files
from albertkit.training.loss_spikes import SpikeHistory
from albertkit.typing import Record

_STATE = "state.json"
_MODEL, _OPTIMIZER, _EMA = "model", "optimizer", "ema"
OWN = (_STATE, *(f"{stem}.safetensors" for stem in (_MODEL, _OPTIMIZER, _EMA)), CONFIG_FILE, *tokenizer_files.PATTERNS)
"""The files of a checkpoint of a run. Nothing else in its folder is ever removed."""
KEPT = 2
"""Checkpoints to resume from that are kept: the newest, and one before it should the newest be damaged."""

_DAMAGES = (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError)
"""What reading a damaged checkpoint raises."""


@dataclass
class Progress:
    """Where a run stands: what a checkpoint keeps beside weights and optimizer."""

    step: int = 0
    best_step: int = 0
    """0 as long as there are no best weights; then the score means nothing."""
    best_score: float = 0.0
    since_best: int = 0
    """Evaluations since the best one."""
    evaluations: list[Record] = field(default_factory=list)
    spikes: SpikeHistory = field(default_factory=SpikeHistory)

    def best_evaluation(self) -> Record:
        """The evaluation of the best weights."""
        return next(record for record in self.evaluations if record["step"] == self.best_step)


@dataclass(frozen=True)
class Snapshot:
    """All that a run needs to go on, bit for bit."""

    progress: Progress
    model: Tensors
    optimizer: Tensors
    ema: Tensors | None


class RunCheckpoints:
    """Writes and reads the checkpoints in a folder.

    `fingerprints` tell runs apart that may not continue one another: the first is this run's, and it may go on from a
    checkpoint with any of them.

    `write_extra_files` adds to a checkpoint what makes a model of it that can be loaded. `report` is told what a
    person should know: where the disk does not take a checkpoint, training goes on.
    """

    def __init__(
        self,
        folder: Path,
        fingerprints: Sequence[str],
        has_ema: bool,
        write_extra_files: Callable[[Path], None],
        report: Callable[[str], None],
    ) -> None:
        self.folder, self.report = folder, report
        self._fingerprints, self._has_ema, self._write_extra_files = fingerprints, has_ema, write_extra_files
        self._saved: list[Path] = []
        self._unwritten: tuple[Tensors, Record] | None = None
        """The best weights and their scores, where the disk did not take them."""

    def step_folder(self, step: int) -> Path:
        """Where the checkpoint of a step lies."""
        return self.folder / f"step-{step:08}"

    @property
    def best_folder(self) -> Path:
        """Where the best weights lie."""
        return self.folder / "best"

    def save(self, snapshot: Snapshot) -> bool:
        """Write a checkpoint to resume from and drop the oldest. The best weights, of which it speaks, come first.

        False where the disk does not take it.
        """
        files = {_MODEL: snapshot.model, _OPTIMIZER: snapshot.optimizer}
        if snapshot.ema is not None:
            files[_EMA] = snapshot.ema
        path = self.step_folder(snapshot.progress.step)
        state = {**asdict(snapshot.progress), "fingerprint": self._fingerprints[0]}
        if not (self.write_best(snapshot.progress) and self._write(path, files, state, snapshot.progress)):
            return False
        self._saved = [*(old for old in self._saved if old != path), path]
        for old in self._saved[:-KEPT]:
            with contextlib.suppress(OSError):  # what stays is removed when the run ends
                storage.remove_named(old, OWN)
        self._saved = self._saved[-KEPT:]
        return True

    def keep_best(self, tensors: Tensors, record: Record, progress: Progress) -> None:
        """Keep weights as the best ones, in memory until the disk takes them."""
        self._unwritten = {name: array.copy() for name, array in tensors.items()}, record
        self.write_best(progress)

    def write_best(self, progress: Progress) -> bool:
        """Write the best weights, where that is still to be done. False where the disk does not take them."""
        if self._unwritten:
            tensors, record = self._unwritten
            if self._write(self.best_folder, {_MODEL: tensors}, record, progress):
                self._unwritten = None
        return self._unwritten is None

    def _write(self, path: Path, files: Mapping[str, Tensors], state: Record, progress: Progress) -> bool:
        """Write the files of a folder as one step. False, and a report, where the disk does not take them."""
        try:
            with storage.atomic_replace(path, head=_STATE, stale=["*.safetensors"]) as staging:
                named = {f"{stem}.safetensors": tensors for stem, tensors in files.items()}
                for name, tensors in named.items():
                    # safetensors 0.8 writes wrong values, without a word, of arrays that lie otherwise.
                    laid_out = {key: np.asarray(array, order="C") for key, array in tensors.items()}
                    safetensors.numpy.save_file(laid_out, staging / name)
                self._write_extra_files(staging)
                digests = {name: _digest(staging / name) for name in named}
                storage.write_json(staging / _STATE, {**state, "digests": digests})
        except CheckpointError as error:
            if storage.Folder(path).file(_STATE) is None:
                storage.remove_named(path, OWN)
            self.report(f"{error} Training goes on; {self.where(progress)}.")
            return False
        return True

    def newest(self) -> Snapshot | None:
        """The newest checkpoint that can be read; what was not written to its end is cleared away."""
        for path in checkpoints(self.folder):
            if storage.Folder(path).file(_STATE) is None:  # its process died before it was whole
                storage.clear_abandoned(path)
                storage.remove_named(path, OWN)
            elif path.name.startswith("step-"):
                self._saved.append(path)
        while self._saved:
            try:
                return self.read(self._saved[-1])
            except _DAMAGES as error:
                damaged = self._saved.pop().name  # stays until the run writes it anew
                then = f"trying {self._saved[-1].name}" if self._saved else "there is no other: the run begins anew"
                self.report(f"{damaged} is damaged ({error}); {then}.")
        return None

    def read(self, path: Path) -> Snapshot:
        """A checkpoint of this run. TrainingError where another run wrote it, one of `_DAMAGES` where it is damaged."""
        tensors, state = _read(path, [_MODEL, _OPTIMIZER, *([_EMA] if self._has_ema else [])])
        if (fingerprint := state.pop("fingerprint")) not in self._fingerprints:
            raise TrainingError(
                f"A run may only be resumed with the recipe and data it began with. {path} was written by another. "
                "Give the same ones, another --output, or --overwrite."
            )
        progress = Progress(**{**state, "spikes": SpikeHistory(**state["spikes"])})
        if fingerprint != self._fingerprints[0]:
            progress.since_best = 0  # a run that is extended gets its patience back
        return Snapshot(progress, tensors[_MODEL], tensors[_OPTIMIZER], tensors.get(_EMA))

    def has_best(self, progress: Progress) -> bool:
        """Whether the best weights are as they were written."""
        try:
            if progress.best_step:
                _read(self.best_folder, [_MODEL])
        except _DAMAGES as error:
            self.report(f"best is damaged ({error}); the weights of the next evaluation take its place.")
            return False
        return True

    def best(self) -> tuple[Tensors, Record]:
        """The best weights and their evaluation. TrainingError where they are not as they were written."""
        if self._unwritten:
            return self._unwritten
        try:
            tensors, record = _read(self.best_folder, [_MODEL])
        except _DAMAGES as error:
            raise TrainingError(
                f"The best weights must be as they were written. Received: {error}, in {self.best_folder}. Resume "
                "the run: it goes on from its last checkpoint."
            ) from error
        return tensors[_MODEL], record

    def where(self, progress: Progress) -> str:
        """In words, where the best weights and the newest checkpoint are."""
        place = "in memory alone" if self._unwritten else f"in {self.best_folder}"
        best = f"the best so far, of step {progress.best_step}, are {place}"
        saved = sorted(self.folder.glob("step-*"))
        newest = f"the last checkpoint is {saved[-1]}" if saved else "no checkpoint had been written yet"
        return f"{best} and {newest}" if progress.best_step else newest


def checkpoints(folder: Path) -> list[Path]:
    """The folders that a run keeps its checkpoints in, oldest first; what a person put beside them is not listed."""
    named = (path for path in sorted(folder.glob("*")) if re.fullmatch(r"best|step-\d{8,}", path.name))
    return [path for path in named if path.is_dir() and not path.is_symlink()]


def _read(path: Path, stems: Sequence[str]) -> tuple[dict[str, Tensors], Record]:
    """The tensors of the files of a checkpoint, and its state. One of `_DAMAGES` where they are not as written."""
    with storage.open_folder(path) as held:
        state = storage.read_json(held.require(_STATE))
        digests = state.pop("digests")
        tensors = {}
        for stem in stems:
            file = held.require(f"{stem}.safetensors")
            if _digest(file) != digests[file.name]:
                raise ValueError(f"{file.name} is not as it was written")
            tensors[stem] = safetensors.numpy.load_file(file)
    return tensors, state


def _digest(path: Path) -> str:
    """A digest of what a file holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
