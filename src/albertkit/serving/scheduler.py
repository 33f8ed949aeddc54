"""Rows of many requests through models, as many tokens at a time as a budget allows; one thread computes.

A batch is made as soon as the one before it is done, of what waits then: nobody waits for a batch to fill. Every
request gives one row in its turn, so that one of many rows is computed beside the others and not before them: a request
of one row waits for the batch that is being computed, and for one row of each request that came before it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

from albertkit.backends import Outputs
from albertkit.tasks.features import Features

Run = Callable[[Features, int], Iterable[Outputs]]
"""Features, and how many tokens are computed together at most -> the outputs of each row, in their order."""


class QueueFull(Exception):
    """As many tokens wait as may."""


class Stopping(Exception):
    """No more requests are taken."""


class DeadlinePassed(Exception):
    """It was too late before all rows were in a batch."""


class Cancelled(Exception):
    """Whoever asked is gone."""


@dataclass(eq=False)
class Job:
    """The rows of one request."""

    run: Run
    features: Features
    lengths: list[int]
    """Tokens of each row."""
    future: "Future[list[Outputs]]"
    deadline: float
    """By `time.monotonic`, the time after which it is of no use to anybody."""
    submitted: float
    started: float | None = None
    taken: int = 0
    """How many rows were given to batches."""
    is_cancelled: bool = False
    outputs: list[Outputs] = field(default_factory=list)

    @property
    def waiting_tokens(self) -> int:
        """The tokens of the rows that are still to be computed."""
        return sum(self.lengths[self.taken :])

    def cancel(self) -> None:
        """Nobody waits for it any more: rows that are in no batch yet are not computed."""
        self.is_cancelled = True


def tokens_of(features: Features) -> list[int]:
    """The tokens of each row, of all its choices together."""
    choices = features.choices() or [1] * len(features)
    return [length * count for length, count in zip(features.lengths(), choices, strict=True)]


@dataclass(frozen=True)
class Batch:
    """Rows of several jobs of one model."""

    jobs: list[Job]
    rows: list[range]
    """Of each job those that are in the batch."""
    tokens: int

    def features(self, only: Job | None = None) -> Features:
        """The rows one after the other, of all jobs or of one."""
        first, *others = (
            job.features if len(rows) == len(job.features) else job.features.take(rows)
            for job, rows in zip(self.jobs, self.rows, strict=True)
            if only is None or job is only
        )
        return first.joined(*others)


class Scheduler:
    """Takes requests from any thread; computes in one of its own, which uses all cores."""

    def __init__(
        self,
        max_batch_tokens: int,
        max_waiting_tokens: int,
        seen: Callable[[Batch, float], None] = lambda batch, s: None,
    ) -> None:
        """`max_waiting_tokens` bounds what may wait. `seen` is told of each batch and the seconds that it took."""
        self._budget, self._capacity, self._seen = max_batch_tokens, max_waiting_tokens, seen
        self._jobs: deque[Job] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._stops = False
        self._thread = threading.Thread(target=self._work, name="albertkit-scheduler", daemon=True)
        self._thread.start()

    @property
    def waiting_requests(self) -> int:
        """How many requests have rows to be computed."""
        return len(self._jobs)

    @property
    def waiting_tokens(self) -> int:
        """How many tokens are still to be computed."""
        return self._waiting

    def submit(self, run: Run, features: Features, deadline: float) -> Job:
        """Have rows computed; the job's future has the outputs of each. `deadline` is by `time.monotonic`.

        QueueFull where too much waits, Stopping once no more is taken.
        """
        lengths = tokens_of(features)
        job = Job(run, features, lengths, Future(), deadline, time.monotonic())
        job.future.set_running_or_notify_cancel()  # who waits for it cannot end it while it is in a batch
        tokens = sum(lengths)
        with self._changed:
            if self._stops:
                raise Stopping
            if self._waiting and self._waiting + tokens > self._capacity:
                raise QueueFull
            if not lengths:
                job.future.set_result([])
                return job
            self._jobs.append(job)
            self._waiting += tokens
            self._changed.notify()
        return job

    def stop(self) -> None:
        """Take no more, compute what waits, and return."""
        with self._changed:
            self._stops = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._stops:
                    self._changed.wait()
                batch = self._next()
                if batch is None and self._stops and not self._jobs:
                    return
            if batch is not None:
                start = time.monotonic()
                self._compute(batch)
                self._seen(batch, time.monotonic() - start)

    def _next(self) -> Batch | None:
        """A batch of the model whose request waits longest, a row of each of its requests at a time."""
        self._drop_unwanted()
        if not self._jobs:
            return None
        same = [job for job in self._jobs if job.run == self._jobs[0].run]
        before = [job.taken for job in same]
        tokens, room = 0, True
        while room:
            room = False
            for job in same:
                left = job.taken < len(job.lengths)
                if left and (not tokens or tokens + job.lengths[job.taken] <= self._budget):
                    tokens, room = tokens + job.lengths[job.taken], True
                    job.taken += 1
        rows = [range(first, job.taken) for first, job in zip(before, same, strict=True)]
        given = [(job, one) for job, one in zip(same, rows, strict=True) if one]
        now = time.monotonic()
        for job, _ in given:
            job.started = job.started or now
            self._jobs.remove(job)
            if job.taken < len(job.lengths):  # behind those that wait for their first turn
                self._jobs.append(job)
        self._waiting -= tokens
        return Batch([job for job, _ in given], [one for _, one in given], tokens)

    def _drop_unwanted(self) -> None:
        now = time.monotonic()
        for job in [job for job in self._jobs if job.is_cancelled or now > job.deadline]:
            self._jobs.remove(job)
            self._waiting -= job.waiting_tokens
            job.future.set_exception(Cancelled() if job.is_cancelled else DeadlinePassed())

    def _compute(self, batch: Batch) -> None:
        try:
            outputs = list(batch.jobs[0].run(batch.features(), self._budget))
        except Exception as error:
            if len(batch.jobs) == 1:
                self._fail(batch.jobs[0], error)
                return
            for job, rows in zip(batch.jobs, batch.rows, strict=True):
                self._compute(Batch([job], [rows], 0))
            return
        start = 0
        for job, rows in zip(batch.jobs, batch.rows, strict=True):
            job.outputs += outputs[start : start + len(rows)]
            start += len(rows)
            if len(job.outputs) == len(job.lengths):
                job.future.set_result(job.outputs)

    def _fail(self, job: Job, error: Exception) -> None:
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)
                self._waiting -= job.waiting_tokens
        job.future.set_exception(error)
