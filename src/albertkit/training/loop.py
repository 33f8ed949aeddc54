"""The training loop: the only one. Steps, schedule, evaluation, the best weights, checkpoints to resume from.

Works on canonical weights and NumPy batches through a backend; knows no task and no text. Of several processes each
runs this loop over its own part of every batch, and only rank 0 writes: a launcher has nothing to do but to start them.
"""

import math
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
from albertkit.errors import Interrupted, TrainingError
from albertkit.pace import Every
from albertkit.training import estimate
from albertkit.training.ema import MovingAverage
from albertkit.training.interruption import StopSignals
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


SAVE_SECONDS = 600.0
_SAVE = 1
"""What rank 0 tells the others: no wish, to save, or to stop, which is the number of the signal and at least 2."""


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
    """Steps between checkpoints; 0: after each evaluation, and `save_seconds` after the last one."""
    save_seconds: float = SAVE_SECONDS
    keep_state: bool = False
    """Whether the last step leaves a checkpoint too, from which the run can be extended."""
    extends: str = ""
    """The fingerprint of the run that this one extends: its checkpoints count as this one's."""
    is_resumed: bool = False
    """Whether a checkpoint is expected: without one, it is said that the run begins at step 0."""
    samples: Sequence[Batch] = ()
    """Batches, small ones first, whose forward passes are timed for an estimate of the whole, in one process."""
    tokens: int = 0
    """Of a whole batch, for that estimate."""
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
    loss or the gradient is not finite; then the best weights so far stand in `folder`/best. Raises Interrupted, which
    is a KeyboardInterrupt, where a signal asked to stop: when the step was done and a checkpoint was written.
    """
    with StopSignals(is_told=plan.backend.rank() == 0) as stop:
        return _Run(plan, data, evaluate, folder, callback, stop).to_the_end()


class _Stopped(Exception):
    """A signal came in the middle of an evaluation."""


class _Run:
    def __init__(
        self, plan: Plan, data: Data, evaluate: Evaluate, folder: Path, callback: Callback, stop: StopSignals
    ) -> None:
        self.plan, self.data, self.evaluate, self.callback, self.stop = plan, data, evaluate, callback, stop
        self.backend = plan.backend
        self.is_first = self.backend.rank() == 0
        self.state = self.backend.init_state(
            plan.config, plan.head, plan.tensors, plan.optimizer, plan.precision, plan.is_sharded
        )
        self.ema = MovingAverage(plan.ema_decay) if plan.ema_decay else None
        self.progress = Progress()
        self.checkpoints = RunCheckpoints(
            folder,
            (plan.fingerprint, *([plan.extends] if plan.extends else [])),
            self.ema is not None,
            plan.write_extra_files,
            callback.on_message,
        )
        self._resume()
        self.is_time_to_save = Every(math.inf if plan.save_every else plan.save_seconds)
        self.guard = LossSpikeGuard(plan.loss_spike_factor, plan.max_skipped_steps, self.progress.spikes)

    def to_the_end(self) -> tuple[Tensors, Progress]:
        is_done = self._is_out_of_patience() or not self._evaluate_if_due()  # which a signal may have kept it from
        if not is_done:
            self._train()
            if self.plan.keep_state:
                self._save()
        return (self._best() if self.is_first else {}), self.progress

    def _train(self) -> None:
        """Take steps until the end of the plan, or until the scores say that it is enough."""
        plan, progress = self.plan, self.progress
        self._estimate()
        started = time.perf_counter()
        for batches in self._batches():
            record = self._step(batches)
            seconds = time.perf_counter() - started
            self.callback.on_step({"step": progress.step, **record, "seconds": seconds})
            wish = self.backend.broadcast(self.stop.received or int(self.is_time_to_save()))
            if wish > _SAVE:
                self._stop(wish)
            if not self._evaluate_if_due():
                return
            is_last = progress.step == plan.schedule.steps
            is_time = progress.step % plan.save_every == 0 if plan.save_every else self._is_due() or wish == _SAVE
            if is_time and not is_last:
                self._save()
            started = time.perf_counter()  # what the next step waits for its batch is part of it

    def _estimate(self) -> None:
        """Tell how long the run may take, before its first step: on a slow machine that alone may take hours."""
        plan = self.plan
        tokens = plan.tokens * (plan.schedule.steps - self.progress.step)
        if plan.samples and self.backend.world_size() == 1 and estimate.is_long(plan.config, plan.samples[0], tokens):
            rate = estimate.seconds_per_token(lambda batch: self.backend.eval_step(self.state, batch), plan.samples)
            self.callback.on_message(estimate.in_a_sentence(rate, plan.tokens, tokens))

    def _is_due(self) -> bool:
        """Whether an evaluation belongs to the step that was done last."""
        step, plan = self.progress.step, self.plan
        return step > 0 and (step == plan.schedule.steps or step % plan.evaluate_every == 0)

    def _is_out_of_patience(self) -> bool:
        return bool(self.plan.patience) and self.progress.since_best >= self.plan.patience

    def _evaluate_if_due(self) -> bool:
        """Evaluate where that belongs to the last step and is still to be done, and say whether to go on."""
        evaluations, step = self.progress.evaluations, self.progress.step
        if not self._is_due() or (evaluations and evaluations[-1]["step"] == step):
            return True
        try:
            return self._evaluate()
        except _Stopped:
            self._stop(self.stop.received)
            return False

    def _stop(self, number: int) -> None:
        """Save and end, as a signal has asked. Raises Interrupted."""
        step, steps = self.progress.step, self.plan.schedule.steps
        is_saved = self._save()
        place = f"Its checkpoint is {self.checkpoints.step_folder(step)}."
        if not is_saved:
            place = f"It left no checkpoint; {self.checkpoints.where(self.progress)}."
        raise Interrupted(f"Stopped after step {step:,} of {steps:,}. {place} Go on with --resume.", number)

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
        try:
            scores = self.evaluate(self._forward)
        finally:
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
        if self._is_out_of_patience():
            why = f"no better {plan.metric} for {plan.patience} evaluations"
            self.callback.on_message(f"Stopped at step {progress.step}: {why}.")
            return False
        return True

    def _forward(self, batch: Batch) -> Outputs:
        """The outputs of the model in training. _Stopped where a signal came: of several processes each must go on."""
        if self.stop.received and self.backend.world_size() == 1:
            raise _Stopped
        return self.backend.eval_step(self.state, batch)

    def _require_finite(self, scores: Mapping[str, float]) -> None:
        broken = [f"{name} {value}" for name, value in scores.items() if not np.isfinite(value)]
        if broken:
            raise TrainingError(
                f"The scores of an evaluation must be finite. At step {self.progress.step}: {', '.join(broken)}. "
                f"These weights were not kept; {self.checkpoints.where(self.progress)}. {RESTART}"
            )

    def _save(self) -> bool:
        """Write a checkpoint, and say whether there is one now."""
        # Every rank takes part in gathering weights that are spread over processes; rank 0 writes.
        model, optimizer = self.backend.get_weights(self.state), self.backend.get_optimizer(self.state)
        is_saved = True
        if self.is_first:
            snapshot = Snapshot(self.progress, model, optimizer, self.ema.tensors if self.ema else None)
            is_saved = self.checkpoints.save(snapshot)
        self.is_time_to_save.restart()
        return is_saved

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
            if self.plan.is_resumed:
                self.callback.on_message("There is no checkpoint to resume from: the run begins at step 0.")
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
