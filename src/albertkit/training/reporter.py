"""What a person and the log see of a run: a live line, log.jsonl, and the curves at the end."""

import csv
import errno
import io
import json
import math
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn

from albertkit import storage
from albertkit.errors import CheckpointError
from albertkit.pace import TimeLeft
from albertkit.progress import ProgressBar
from albertkit.training import plots
from albertkit.typing import Json, Record

LOG = "log.jsonl"
CURVES = "curves.png"
TABLE = "evaluations.csv"
TENSORBOARD = "tensorboard"
EVENTS = "events.out.tfevents.*"
RECENT = 50
"""Steps over which loss and speed are averaged."""
_SHOWN = 8
"""Scores of an evaluation that are printed; all of them stand in the log."""
_FIRST = 3
"""The step of this process after which there is a first line."""


class Reporter:
    """Writes log.jsonl, a line for a step or an evaluation, and tells the console."""

    def __init__(
        self,
        folder: Path | None,
        console: Console,
        steps: int,
        processes: int = 1,
        *,
        tensorboard: bool = False,
        is_telling: bool = True,
        on_best: Callable[[int], None] = lambda step: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Logs to `folder`, or nowhere where it is None.

        `steps` is the length of the whole run, of which at most a thousand are logged. `processes` is how many share a
        step: the tokens of this one, times as many, count as the step's. `tensorboard` logs for that as well. Where the
        evaluation is too small to tell good from bad, which `is_telling` says, none of its scores is called the best.
        `on_best` is told the step of each evaluation that is the best so far.
        """
        self._folder, self._console, self._steps, self._processes = folder, console, steps, processes
        self._log = None if folder is None else _AppendOnly(folder / LOG)
        self._events: _AppendOnly | None = None
        if folder is not None and tensorboard:
            from albertkit.training import tensorboard as form

            self._form, self._events = form, _AppendOnly(folder / TENSORBOARD / form.name())
        self._every, self._on_best = math.ceil(steps / 1000), on_best
        self._recent: deque[Mapping[str, Json]] = deque(maxlen=RECENT)
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = ProgressBar(console, "training", *columns, total=steps, clock=clock)
        self._done = 0  # steps of this process
        self._is_telling, self._has_evaluated = is_telling, False
        self._time_left = TimeLeft(clock)

    def __enter__(self) -> "Reporter":
        self._bar.__enter__()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._bar.__exit__(kind, error, trace)
        for file in (self._log, self._events):
            if file:
                file.add(b"")

    def on_step(self, record: Mapping[str, Json]) -> None:
        """A step is done."""
        if not self._done:
            self._begin(record["step"])
        self._done += 1
        record = {**record, "tokens": record["tokens"] * self._processes}
        self._recent.append(record)
        loss = sum(row["loss"] for row in self._recent) / len(self._recent)
        speed = sum(row["tokens"] for row in self._recent) / max(sum(row["seconds"] for row in self._recent), 1e-9)
        left, over = self._time_left(record["step"], self._steps), len(self._recent)
        parts = [f"loss {loss:.4f}, mean of {over} step{'s' * (over > 1)}", f"rate {record['learning_rate']:.1e}"]
        described = " · ".join([*parts, f"{speed:,.0f} tokens/s", *([left] if left else [])])
        if record["step"] % self._every == 0 or record["step"] == self._steps:
            self._write(record)
        line = f"step {record['step']:,} of {self._steps:,} · {described}"
        is_due = self._done == _FIRST or record["step"] == self._steps
        self._bar.show(record["step"], described, line, is_due=is_due)

    def on_evaluation(self, record: Mapping[str, Json]) -> None:
        """An evaluation is done."""
        self._write({"evaluation": dict(record)})
        if record["best"]:
            self._on_best(record["step"])
        values = {key: value for key, value in record.items() if key not in ("step", "best")}
        named = [f"{key} {_written(value)}" for key, value in values.items()]
        more = [f"{len(named) - _SHOWN} more in the log"] if len(named) > _SHOWN else []
        scores = " · ".join(named[:_SHOWN] + more)
        is_better = record["best"] and self._has_evaluated and self._is_telling
        self._has_evaluated = True
        self._console.print(f"step {record['step']}: {scores}{' · best so far' if is_better else ''}")

    def on_message(self, text: str) -> None:
        """Something a person should know."""
        self._console.print(text)

    def _begin(self, step: int) -> None:
        """Drop what an interrupted run logged from `step` on, with which this one begins."""
        if not self._folder:
            return
        log = self._folder / LOG
        if log.exists():
            kept = [row for row in read_log(log) if row.get("evaluation", row)["step"] < step]
            try:
                storage.write_text(log, "".join(json.dumps(row) + "\n" for row in kept))
            except CheckpointError as error:
                self.on_message(f"{error} Training goes on; the log holds the steps from {step} on twice.")
        if self._events:
            self._add(self._events, self._form.beginning(step))

    def _write(self, record: Mapping[str, Json]) -> None:
        self._add(self._log, json.dumps(dict(record)).encode() + b"\n")
        if self._events:
            kind, row = ("evaluation", record["evaluation"]) if "evaluation" in record else ("training", record)
            values = {f"{kind}/{name}": value for name, value in row.items() if name not in ("step", "best")}
            self._add(self._events, self._form.scalars(row["step"], values))

    def _add(self, file: "_AppendOnly | None", content: bytes) -> None:
        if file and (error := file.add(content)):
            self.on_message(f"Writing {file.path} failed: {error}. Training goes on, and tries again later.")


def _written(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.{'4f' if value < 1e6 else '3g'}}"


class _AppendOnly:
    """A file that only grows. What a full disk does not take waits for the next time."""

    def __init__(self, path: Path) -> None:
        self.path, self._waiting = path, b""

    def add(self, content: bytes) -> OSError | None:
        """Append, all or nothing. What went wrong, the first time that it does."""
        was_waiting, self._waiting = bool(self._waiting), self._waiting + content
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab", buffering=0) as file:
                end = file.tell()
                if file.write(self._waiting) < len(self._waiting):
                    file.truncate(end)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            return None if was_waiting else error
        self._waiting = b""
        return None


def read_log(path: Path) -> list[Record]:
    """The records of a log; a last line cut short is left out."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def write_table(log: Path, target: Path) -> None:
    """The evaluations of a log as CSV."""
    rows = [row["evaluation"] for row in read_log(log) if "evaluation" in row]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    storage.write_text(target, text.getvalue())


def draw_curves(log: Path, target: Path, metric: str, best_step: int) -> None:
    """Loss and score over the steps, as a picture."""
    pyplot = plots.prepared()
    records = read_log(log)
    steps = [row for row in records if "loss" in row]
    evaluations = [row["evaluation"] for row in records if "evaluation" in row]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    losses = [row["loss"] for row in steps]
    width = max(math.ceil(len(losses) / 50), 1)
    windows = [losses[max(i - width, 0) : i + 1] for i in range(len(losses))]
    smooth = [sum(window) / len(window) for window in windows]
    left.plot([row["step"] for row in steps], losses, color="#c8d4e3", linewidth=1)
    left.plot([row["step"] for row in steps], smooth, color="#1f5a96", label="training")
    if evaluations and "loss" in evaluations[0]:
        seen = [e["step"] for e in evaluations]
        left.plot(seen, [e["loss"] for e in evaluations], "o-", color="#b0413e", label="evaluation")
    left.set(xlabel="step", ylabel="loss")
    left.legend()
    right.plot([e["step"] for e in evaluations], [e[metric] for e in evaluations], "o-", color="#1f5a96")
    right.axvline(best_step, color="#b0413e", linestyle=":", label=f"best, step {best_step}")
    right.set(xlabel="step", ylabel=metric)
    right.legend()
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)  # of a short run there are no halves of steps
    figure.savefig(target, dpi=120)
    pyplot.close(figure)
