"""The training loop: the only one. Steps, schedule, evaluation, the best weights, checkpoints to resume from.

Works on neutral weights and NumPy batches through a framework's train module; knows no task and no text.
"""

import contextlib
import hashlib
import math
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import safetensors.numpy

from albertkit import arrays, frameworks, storage
from albertkit.checkpoint.report import Tensors
from albertkit.config import CONFIG_FILE, AlbertConfig
from albertkit.errors import CheckpointError, TrainingError
from albertkit.tokenization import files as tokenizer_files

Batch = dict[str, np.ndarray]
_STATE = "state.json"
_STEMS = ("model", "optimizer", "mean")
OWN = (_STATE, *(f"{stem}.safetensors" for stem in _STEMS), CONFIG_FILE, *tokenizer_files.PATTERNS)
"""The files of a checkpoint of a run. Nothing else in its folder is ever removed."""
KEPT = 2
"""Checkpoints to resume from that are kept: the newest, and one before it should the newest be damaged."""
NORMS = 100
"""Steps whose gradient norms say what a usual one is."""


class Data(Protocol):
    """What the loop asks of training data: see training.batches."""

    def __len__(self) -> int: ...

    def epoch(self, number: int, start: int = 0, parts: int = 1) -> Iterator[list[Batch]]:
        """Batches of one epoch, from one of them on."""
        ...


class Listener(Protocol):
    """Who is told of the run's progress: see training.progress."""

    def step(self, record: dict[str, Any]) -> None:
        """After every step."""
        ...

    def evaluation(self, record: dict[str, Any]) -> None:
        """After every evaluation."""
        ...

    def note(self, text: str) -> None:
        """Something a person should know."""
        ...


@dataclass(frozen=True)
class Schedule:
    """The learning rate by step: a linear rise to `peak`, then a descent to 0 at `steps`, or none.

    `shape` is linear, polynomial (the part of the steps left, to the power `power`), cosine or constant. The descent's
    clock runs from the end of the warm-up. With `from_zero` it runs from step 0, as in the original ALBERT, so that
    the rate drops as the warm-up ends: for the linear shape by the warm-up's part of the steps.
    """

    peak: float
    steps: int
    warmup: int
    shape: str = "linear"
    power: float = 1.0
    from_zero: bool = False

    def __call__(self, step: int) -> float:
        """The rate of a step, counted from 0."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        start = 0 if self.from_zero else self.warmup
        done = (step - start) / max(self.steps - start, 1)
        parts = {
            "linear": 1 - done,
            "polynomial": (1 - done) ** self.power,
            "cosine": (1 + math.cos(math.pi * done)) / 2,
            "constant": 1.0,
        }
        return self.peak * parts[self.shape]


def scaled_learning_rate(rate: float, batch_size: int, reference_batch_size: int) -> float:
    """The rate for another batch size than the one it was found for: in proportion to the root of the size.

    The rule of LAMB (arXiv 1904.00962), with which ALBERT's 0.00176 for 4096 sequences goes to other sizes.
    """
    return rate * math.sqrt(batch_size / reference_batch_size)


@dataclass(frozen=True)
class Plan:
    """What to train, and for how long. `fingerprint` tells runs apart that may not continue one another."""

    framework: str
    config: AlbertConfig
    head: str
    tensors: Tensors
    optimizer: dict[str, Any]
    schedule: Schedule
    seed: int
    parts: int
    averaging: float
    evaluate_every: int
    save_every: int
    patience: int
    metric: str
    is_error: bool
    """Whether less of the metric is better."""
    fingerprint: str
    spike: float = 0.0
    """A step is left out whose gradient norm is above this many times the median of the last `NORMS`; 0: none is."""
    forgiven: int = 0
    """Steps in a row that may be left out, for a spike or for numbers that are not finite, before the run stops."""
    companions: Callable[[Path], None] = lambda folder: None
    """Writes into a checkpoint what makes a model of it that can be loaded: config.json and the tokenizer's files."""


@dataclass
class Progress:
    """Where a run stands: what a checkpoint keeps beside weights and optimizer."""

    step: int = 0
    best_step: int = 0
    """0 as long as there are no best weights; then the score means nothing."""
    best_score: float = 0.0
    since_best: int = 0
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    left_out: int = 0
    left_out_in_a_row: int = 0


Evaluate = Callable[[Callable[[Batch], dict[str, np.ndarray]]], dict[str, float]]
"""Scores, given a forward function of the model in training."""


def train(plan: Plan, data: Data, evaluate: Evaluate, folder: Path, listener: Listener) -> tuple[Tensors, Progress]:
    """Train to the end of the plan, from the newest good checkpoint in `folder` if there is one.

    Returns the weights with the best score, of several processes in the first alone, and the course of the run. Raises
    TrainingError where the loss or the gradient is not finite; then the best weights so far stand in `folder`/best.
    """
    return _Run(plan, data, evaluate, folder, listener).to_the_end()


_DAMAGES = (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError)
"""What reading a damaged checkpoint raises."""
_AGAIN = "Begin again, from a checkpoint or from nothing, with a smaller learning rate, a longer warm-up, or fp32."
"""What helps a run that fails by its numbers, for most of its recipe is settled."""


class _Run:
    def __init__(self, plan: Plan, data: Data, evaluate: Evaluate, folder: Path, listener: Listener) -> None:
        self.plan, self.data, self.evaluate, self.folder, self.listener = plan, data, evaluate, folder, listener
        self.room = frameworks.room(plan.framework, "train")
        self.number = self.room.processes()[0]
        self.state = self.room.init_state(plan.config, plan.head, plan.tensors, **plan.optimizer)
        self.mean: Tensors | None = None
        self.progress = Progress()
        self.saved: list[Path] = []
        self.unwritten: tuple[Tensors, dict[str, Any]] | None = None
        """The best weights and their scores, where the disk did not take them."""
        self._resume()

    def to_the_end(self) -> tuple[Tensors, Progress]:
        plan, progress = self.plan, self.progress
        started = time.perf_counter()
        for batches in self._batches():
            rate = plan.schedule(progress.step)
            seed = int(np.random.default_rng([plan.seed, progress.step]).integers(2**31))
            highest = self._highest_norm()
            record = self.room.train_step(self.state, batches, rate, seed, highest)
            self._judge(record, highest)
            progress.step += 1
            self._average()
            tokens = sum(map(arrays.tokens, batches))
            seconds = time.perf_counter() - started
            record = {**record, "learning_rate": rate, "tokens": tokens, "seconds": seconds}
            self.listener.step({"step": progress.step, **record})
            last = progress.step == plan.schedule.steps
            evaluated = last or progress.step % plan.evaluate_every == 0
            if evaluated and not self._evaluated():
                break
            if not last and (progress.step % plan.save_every == 0 if plan.save_every else evaluated):
                self._save()
            started = time.perf_counter()  # what the next step waits for its batch is part of it
        if self.number:
            return {}, progress
        return self._best_of_all(), progress

    def _batches(self) -> Iterator[list[Batch]]:
        while self.progress.step < self.plan.schedule.steps:
            epoch, done = divmod(self.progress.step, len(self.data))
            for batches in self.data.epoch(epoch, done, self.plan.parts):
                yield batches
                if self.progress.step >= self.plan.schedule.steps:
                    return

    def _highest_norm(self) -> float:
        """The gradient norm above which a step is a spike."""
        norms = self.progress.norms
        return self.plan.spike * statistics.median(norms) if self.plan.spike and len(norms) == NORMS else math.inf

    def _judge(self, record: dict[str, float], highest: float) -> None:
        """Count a step that was left out, and stop at too many in a row."""
        plan, progress = self.plan, self.progress
        norm = record["gradient_norm"]
        is_finite = all(np.isfinite(value) for value in record.values())
        if is_finite and norm <= highest:
            progress.left_out_in_a_row = 0
            if plan.spike:
                progress.norms = [*progress.norms[1 - NORMS :], norm]
            return
        step = progress.step + 1
        progress.left_out += 1
        progress.left_out_in_a_row += 1
        numbers = ", ".join(f"{name} {value:.6g}" for name, value in record.items())
        usual = f" where {highest / plan.spike:.3g} is usual" if is_finite else ""
        if progress.left_out_in_a_row <= plan.forgiven:
            self.listener.note(f"Step {step} was left out: {numbers}{usual}.")
            return
        rule, way = "Loss and gradient must stay finite", _AGAIN
        if is_finite:
            rule, way = "The gradient must not leap", f"{_AGAIN} If it stays so large, go on with `training.spike` 0."
        raise TrainingError(
            f"{rule}. At step {step}: {numbers}{usual}. The weights were left as they were before it; "
            f"{self._whereabouts()}. {way}"
        )

    def _require_finite_scores(self, scores: dict[str, float]) -> None:
        broken = {name: value for name, value in scores.items() if not np.isfinite(value)}
        if broken:
            raise TrainingError(
                f"The scores of an evaluation must be finite. At step {self.progress.step}: "
                + ", ".join(f"{name} {value}" for name, value in broken.items())
                + f". These weights were not kept; {self._whereabouts()}. {_AGAIN}"
            )

    def _whereabouts(self) -> str:
        place = "in memory alone" if self.unwritten else f"in {self.folder / 'best'}"
        best = f"the best so far, of step {self.progress.best_step}, are {place}"
        saved = sorted(self.folder.glob("step-*"))
        newest = f"the last checkpoint is {saved[-1]}" if saved else "no checkpoint had been written yet"
        return f"{best} and {newest}" if self.progress.best_step else newest

    # ------------------------------------------------------------------------------------------------------ evaluation

    def _average(self) -> None:
        """Keep a running mean of the weights, short at first and of the given decay later."""
        if not self.plan.averaging:
            return
        current = self.room.get_weights(self.state)
        if self.mean is None:
            self.mean = current
            return
        decay = min(self.plan.averaging, (1 + self.progress.step) / (10 + self.progress.step))
        for name, mean in self.mean.items():
            mean += (1 - decay) * (current[name] - mean)

    def _evaluated(self) -> bool:
        """Score the weights, keep them if they are the best, and say whether to go on."""
        progress = self.progress
        current = self.room.get_weights(self.state)
        tensors = current if self.mean is None else self.mean
        self.room.set_weights(self.state, tensors)
        scores = self.evaluate(lambda batch: self.room.eval_step(self.state, batch))
        self.room.set_weights(self.state, current)
        self._require_finite_scores(scores)
        record = {"step": progress.step, **scores}
        progress.evaluations.append(record)
        score = scores[self.plan.metric] * (-1 if self.plan.is_error else 1)
        if score > progress.best_score or not progress.best_step:
            progress.best_step, progress.best_score, progress.since_best = progress.step, score, 0
            self.unwritten = {name: array.copy() for name, array in tensors.items()}, record
            self._keep_best()
        else:
            progress.since_best += 1
        self.listener.evaluation({**record, "best": progress.since_best == 0})
        if self.plan.patience and progress.since_best >= self.plan.patience:
            why = f"no better {self.plan.metric} for {self.plan.patience} evaluations"
            self.listener.note(f"Stopped at step {progress.step}: {why}.")
            return False
        return True

    # ----------------------------------------------------------------------------------------------------- checkpoints

    def _save(self) -> None:
        files = {
            "model.safetensors": self.room.get_weights(self.state),
            "optimizer.safetensors": self.room.get_optimizer(self.state),
        }
        if self.mean is not None:
            files["mean.safetensors"] = self.mean
        path = self._place(self.progress.step)
        state = {**vars(self.progress), "fingerprint": self.plan.fingerprint}
        # A checkpoint speaks of the best weights, so these come first.
        if self.number or not (self._keep_best() and self._write(path, files, state)):
            return
        self.saved.append(path)
        for old in self.saved[:-KEPT]:
            with contextlib.suppress(OSError):  # what stays is removed when the run ends
                storage.remove_named(old, OWN)
        self.saved = self.saved[-KEPT:]

    def _place(self, step: int) -> Path:
        return self.folder / f"step-{step:08}"

    def _keep_best(self) -> bool:
        """Write the best weights, where that is still to be done. False where the disk does not take them."""
        if self.unwritten:
            tensors, record = self.unwritten
            if self.number or self._write(self.folder / "best", {"model.safetensors": tensors}, record):
                self.unwritten = None
        return self.unwritten is None

    def _best_of_all(self) -> Tensors:
        """The best weights; where the run was resumed, maybe of a step that scored otherwise when it was done again."""
        if self.unwritten:
            return self.unwritten[0]
        progress = self.progress
        try:
            tensors, record = _read(self.folder / "best", ["model"])
        except _DAMAGES as error:
            raise TrainingError(
                f"The best weights must be as they were written. Received: {error}, in {self.folder / 'best'}. Resume "
                "the run: it goes on from its last checkpoint."
            ) from error
        if record["step"] != progress.best_step:
            progress.best_step = record["step"]
            others = [each for each in progress.evaluations if each["step"] != record["step"]]
            progress.evaluations = [*others, record]
        return tensors["model"]

    def _write(self, path: Path, files: dict[str, Tensors], state: dict[str, Any]) -> bool:
        """Write the files of a folder as one step. False, and a note, where the disk does not take them."""
        try:
            with storage.replacing(path, head=_STATE, stale=["*.safetensors"]) as staging:
                for name, tensors in files.items():
                    safetensors.numpy.save_file(tensors, staging / name)
                self.plan.companions(staging)
                digests = {name: _digest(staging / name) for name in files}
                storage.write_json(staging / _STATE, {**state, "digests": digests})
        except CheckpointError as error:
            if storage.Folder(path).file(_STATE) is None:
                storage.remove_named(path, OWN)
            self.listener.note(f"{error} Training goes on; {self._whereabouts()}.")
            return False
        return True

    def _resume(self) -> None:
        """Go on from the newest good checkpoint, if there is one: the first process finds it, and all take the same."""
        found = None if self.number else self._newest()
        step = self.room.said_by_first(found[1].step if found else 0)
        if not step:
            return
        path = self._place(step)
        tensors, self.progress = found or self._seen_by_all(path)
        has_best = self._has_best() if self.number == 0 else True
        if not self.room.said_by_first(int(has_best)):
            self.progress.best_step = 0
        self.room.set_weights(self.state, tensors["model"])
        self.room.set_optimizer(self.state, tensors["optimizer"])
        self.mean = tensors.get("mean")
        self.listener.note(f"Resumed from {path.name}.")

    def _newest(self) -> tuple[dict[str, Tensors], Progress] | None:
        """The newest checkpoint that can be read; what was not written to its end is cleared away."""
        for path in checkpoints(self.folder):
            if storage.Folder(path).file(_STATE) is None:  # its process died before it was whole
                storage.clear_abandoned(path)
                storage.remove_named(path, OWN)
            elif path.name.startswith("step-"):
                self.saved.append(path)
        while self.saved:
            try:
                return self._read(self.saved[-1])
            except _DAMAGES as error:
                damaged = self.saved.pop().name  # stays until the run writes it anew
                then = f"trying {self.saved[-1].name}" if self.saved else "there is no other: the run begins anew"
                self.listener.note(f"{damaged} is damaged ({error}); {then}.")
        return None

    def _has_best(self) -> bool:
        """Whether the best weights are as they were written."""
        try:
            if self.progress.best_step:
                _read(self.folder / "best", ["model"])
        except _DAMAGES as error:
            self.listener.note(f"best is damaged ({error}); the weights of the next evaluation take its place.")
            return False
        return True

    def _seen_by_all(self, path: Path) -> tuple[dict[str, Tensors], Progress]:
        try:
            return self._read(path)
        except OSError as error:
            raise TrainingError(
                f"All processes must see the same output folder. The first goes on from {path}, which process "
                f"{self.number} cannot read: {error}. Give an --output that all share."
            ) from error

    def _read(self, path: Path) -> tuple[dict[str, Tensors], Progress]:
        """What a checkpoint holds: the tensors of its files by their names, and where the run stood."""
        tensors, kept = _read(path, ["model", "optimizer", *(["mean"] if self.plan.averaging else [])])
        if kept.pop("fingerprint") != self.plan.fingerprint:
            raise TrainingError(
                f"A run may only be resumed with the recipe and data it began with. {path} was written by another. "
                "Give the same ones, another --output, or --overwrite."
            )
        return tensors, Progress(**kept)


def checkpoints(folder: Path) -> list[Path]:
    """The folders that a run keeps its checkpoints in, oldest first; what a person put beside them is not listed."""
    named = (path for path in sorted(folder.glob("*")) if re.fullmatch(r"best|step-\d{8,}", path.name))
    return [path for path in named if path.is_dir() and not path.is_symlink()]


def _read(path: Path, stems: Sequence[str]) -> tuple[dict[str, Tensors], dict[str, Any]]:
    """The tensors of the files of a checkpoint, and its state. One of `_DAMAGES` where they are not as written."""
    with storage.reading(path) as held:
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
