"""The training loop: the only one. Steps, schedule, evaluation, the best weights, checkpoints to resume from.

Works on canonical weights and NumPy batches through a backend; knows no task and no text. Of several processes each
runs this loop over its own part of every batch, and only rank 0 writes: a launcher has nothing to do but to start them.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from albertkit.arrays import Tensors
from albertkit.backends import OptimizerSettings, Outputs, Precision, TrainBackend
from albertkit.batches import Batch
from albertkit.config import AlbertConfig
from albertkit.errors import TrainingError
from albertkit.training.ema import MovingAverage
from albertkit.training.loss_spikes import RESTART, LossSpikeGuard
from albertkit.training.run_checkpoints import Progress, RunCheckpoints, Snapshot
from albertkit.training.schedule import Schedule
from albertkit.typing import Json, Record


class Data(Protocol):
    """What the loop asks of training data."""

    def __len__(self) -> int: ...

    def epoch(self, number: int, start: int = 0, parts: int = 1) -> Iterator[Sequence[Batch]]:
        """The batches of one epoch from batch `start` on, each cut into at most `parts` (gradient accumulation)."""
        ...


class Callback(Protocol):
    """Who is told of the run's progress."""

    def on_step(self, record: Mapping[str, Json]) -> None:
        """After every step: step, loss and its parts, gradient_norm, learning_rate, tokens, seconds."""
        ...

    def on_evaluation(self, record: Mapping[str, Json]) -> None:
        """After every evaluation: step, the scores, and whether they are the `best`."""
        ...

    def on_message(self, text: str) -> None:
        """Something a person should know."""
        ...


@dataclass(frozen=True)
class Plan:
    """What to train, and for how long. `fingerprint` tells runs apart that may not continue one another."""

    backend: TrainBackend
    config: AlbertConfig
    head: str
    tensors: Tensors
    optimizer: OptimizerSettings
    schedule: Schedule
    seed: int
    evaluate_every: int
    metric: str
    """The score that chooses the best weights."""
    fingerprint: str
    lower_is_better: bool = False
    precision: Precision = "fp32"
    is_sharded: bool = False
    gradient_accumulation: int = 1
    """Parts in which a batch is computed."""
    ema_decay: float = 0.0
    """Of the moving average of the weights; 0: none."""
    save_every: int = 0
    """Steps between checkpoints; 0: after each evaluation."""
    patience: int = 0
    """Evaluations without a better score after which the run stops; 0: never."""
    loss_spike_factor: float = 0.0
    """See `LossSpikeGuard`."""
    max_skipped_steps: int = 0
    write_extra_files: Callable[[Path], None] = lambda folder: None
    """Writes into a checkpoint what makes a model of it that can be loaded: config.json and the tokenizer's files."""


Evaluate = Callable[[Callable[[Batch], Outputs]], dict[str, float]]
"""Scores, given a forward function of the model in training."""


def train(plan: Plan, data: Data, evaluate: Evaluate, folder: Path, callback: Callback) -> tuple[Tensors, Progress]:
    """Train to the end of the plan, from the newest good checkpoint in `folder` if there is one.

    Returns the weights with the best score, on rank 0 alone, and the course of the run. Raises TrainingError where the
    loss or the gradient is not finite; then the best weights so far stand in `folder`/best.
    """
    return _Run(plan, data, evaluate, folder, callback).to_the_end()


class _Run:
    def __init__(self, plan: Plan, data: Data, evaluate: Evaluate, folder: Path, callback: Callback) -> None:
        self.plan, self.data, self.evaluate, self.callback = plan, data, evaluate, callback
        self.backend = plan.backend
        self.is_first = self.backend.rank() == 0
        self.state = self.backend.init_state(
            plan.config, plan.head, plan.tensors, plan.optimizer, plan.precision, plan.is_sharded
        )
        self.ema = MovingAverage(plan.ema_decay) if plan.ema_decay else None
        self.progress = Progress()
        self.checkpoints = RunCheckpoints(
            folder, plan.fingerprint, self.ema is not None, plan.write_extra_files, callback.on_message
        )
        self._resume()
        self.guard = LossSpikeGuard(plan.loss_spike_factor, plan.max_skipped_steps, self.progress.spikes)

    def to_the_end(self) -> tuple[Tensors, Progress]:
        plan, progress = self.plan, self.progress
        started = time.perf_counter()
        for batches in self._batches():
            record = self._step(batches)
            seconds = time.perf_counter() - started
            self.callback.on_step({"step": progress.step, **record, "seconds": seconds})
            is_last = progress.step == plan.schedule.steps
            is_evaluated = is_last or progress.step % plan.evaluate_every == 0
            if is_evaluated and not self._evaluate():
                break
            if not is_last and (progress.step % plan.save_every == 0 if plan.save_every else is_evaluated):
                self._save()
            started = time.perf_counter()  # what the next step waits for its batch is part of it
        return (self._best() if self.is_first else {}), progress

    def _batches(self) -> Iterator[Sequence[Batch]]:
        while self.progress.step < self.plan.schedule.steps:
            epoch, done = divmod(self.progress.step, len(self.data))
            for batches in self.data.epoch(epoch, done, self.plan.gradient_accumulation):
                yield batches
                if self.progress.step >= self.plan.schedule.steps:
                    return

    def _step(self, batches: Sequence[Batch]) -> Record:
        """One step, or its numbers where the guard skips it."""
        plan, progress = self.plan, self.progress
        rate = plan.schedule(progress.step)
        seed = int(np.random.default_rng([plan.seed, progress.step]).integers(2**31))
        limit = self.guard.limit()
        record = self.backend.train_step(self.state, batches, rate, seed, limit)
        if skipped := self.guard.check(record, limit):
            step = progress.step + 1
            if skipped.is_too_many:
                raise TrainingError(
                    f"{skipped.rule}. At step {step}: {skipped.numbers}. The weights were left as they were before it; "
                    f"{self.checkpoints.where(progress)}. {skipped.way_out}"
                )
            self.callback.on_message(f"Step {step} was skipped: {skipped.numbers}.")
        progress.step += 1
        if self.ema:
            self.ema.update(self.backend.get_weights(self.state), progress.step)
        return {**record, "learning_rate": rate, "tokens": sum(batch.tokens for batch in batches)}

    def _evaluate(self) -> bool:
        """Score the weights, keep them if they are the best, and say whether to go on."""
        plan, progress = self.plan, self.progress
        current = self.backend.get_weights(self.state)
        tensors = (self.ema and self.ema.tensors) or current
        self.backend.set_weights(self.state, tensors)
        scores = self.evaluate(lambda batch: self.backend.eval_step(self.state, batch))
        self.backend.set_weights(self.state, current)
        self._require_finite(scores)
        record = {"step": progress.step, **scores}
        progress.evaluations.append(record)
        score = scores[plan.metric] * (-1 if plan.lower_is_better else 1)
        if score > progress.best_score or not progress.best_step:
            progress.best_step, progress.best_score, progress.since_best = progress.step, score, 0
            if self.is_first:
                self.checkpoints.keep_best(tensors, record, progress)
        else:
            progress.since_best += 1
        self.callback.on_evaluation({**record, "best": progress.since_best == 0})
        if plan.patience and progress.since_best >= plan.patience:
            why = f"no better {plan.metric} for {plan.patience} evaluations"
            self.callback.on_message(f"Stopped at step {progress.step}: {why}.")
            return False
        return True

    def _require_finite(self, scores: Mapping[str, float]) -> None:
        broken = [f"{name} {value}" for name, value in scores.items() if not np.isfinite(value)]
        if broken:
            raise TrainingError(
                f"The scores of an evaluation must be finite. At step {self.progress.step}: {', '.join(broken)}. "
                f"These weights were not kept; {self.checkpoints.where(self.progress)}. {RESTART}"
            )

    def _save(self) -> None:
        # Every rank takes part in gathering weights that are spread over processes; rank 0 writes.
        model, optimizer = self.backend.get_weights(self.state), self.backend.get_optimizer(self.state)
        if self.is_first:
            self.checkpoints.save(Snapshot(self.progress, model, optimizer, self.ema.tensors if self.ema else None))

    def _best(self) -> Tensors:
        """The best weights; where the run was resumed, maybe of a step that scored otherwise when it was done again."""
        progress = self.progress
        tensors, record = self.checkpoints.best()
        if record["step"] != progress.best_step:
            progress.best_step = record["step"]
            others = [each for each in progress.evaluations if each["step"] != record["step"]]
            progress.evaluations = [*others, record]
        return tensors

    def _resume(self) -> None:
        """Go on from the newest good checkpoint, if there is one: rank 0 finds it, and all take the same."""
        found = self.checkpoints.newest() if self.is_first else None
        step = self.backend.broadcast(found.progress.step if found else 0)
        if not step:
            return
        path = self.checkpoints.step_folder(step)
        snapshot = found or self._read_elsewhere(path)
        self.progress = snapshot.progress
        has_best = self.checkpoints.has_best(self.progress) if self.is_first else True
        if not self.backend.broadcast(int(has_best)):
            self.progress.best_step = 0
        self.backend.set_weights(self.state, snapshot.model)
        self.backend.set_optimizer(self.state, snapshot.optimizer)
        if self.ema:
            self.ema.tensors = snapshot.ema
        self.callback.on_message(f"Resumed from {path.name}.")

    def _read_elsewhere(self, path: Path) -> Snapshot:
        """The checkpoint that rank 0 has found, in another process."""
        try:
            return self.checkpoints.read(path)
        except OSError as error:
            raise TrainingError(
                f"All processes must see the same output folder. Rank 0 goes on from {path}, which rank "
                f"{self.backend.rank()} cannot read: {error}. Give an --output that all share."
            ) from error
