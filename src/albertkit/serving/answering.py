"""One request through a pipeline: encoded and finished beside the model, computed together with others."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from anyio import CapacityLimiter, to_thread
from fastapi import Request

from albertkit.errors import AlbertkitError
from albertkit.pipelines import Call, Pipeline
from albertkit.serving.errors import Refusal, rule_of
from albertkit.serving.limits import Limits
from albertkit.serving.metrics import Metrics
from albertkit.serving.scheduler import Cancelled, DeadlinePassed, Job, QueueFull, Scheduler, Stopping
from albertkit.typing import Json


class Answering:
    """What routes answer with."""

    def __init__(self, scheduler: Scheduler, limits: Limits, metrics: Metrics) -> None:
        self._scheduler, self._limits, self._metrics = scheduler, limits, metrics
        self._threads = CapacityLimiter(2)
        """Encoding and decoding beside the model; more threads would only take its cores."""

    async def answer(self, request: Request, name: str, model: Pipeline, inputs: Json, **options: Json) -> Json:
        """The answer of a pipeline's call, plain enough for JSON. Refusal where there is none."""
        call = await self._beside(inputs, lambda: model.prepare(inputs, **options))
        outputs = await self.computed(request, name, model, call)
        return await self._beside(inputs, lambda: listed(call.finish(outputs)))

    async def computed(self, request: Request, name: str, model: Pipeline, call: Call) -> list[Any]:
        """What the model gives back for each row of a call."""
        deadline = request.state.arrived + self._limits.deadline
        try:
            job = self._scheduler.submit(model.run, call.features, deadline)
        except QueueFull:
            raise Refusal(429, headers={"Retry-After": "1"}) from None
        except Stopping:
            raise Refusal(503) from None
        tokens = sum(job.lengths)
        if tokens > self._limits.max_request_tokens:
            job.cancel()
            raise Refusal(
                413, f"A request may have {self._limits.max_request_tokens} tokens. This one has {tokens}: send fewer."
            )
        self._metrics.tokens.labels(name).inc(tokens)
        try:
            outputs = await self._wait(request, job, deadline)
        finally:
            waited = (job.started or time.monotonic()) - job.submitted
            self._metrics.waited.labels(name).observe(waited)
            request.state.told = {"model": name, "tokens": tokens, "waited_ms": round(1000 * waited, 2)}
        return outputs

    async def _wait(self, request: Request, job: Job, deadline: float) -> list[Any]:
        """The outputs of a job; it is cancelled where the client goes, and where the deadline passes."""
        future = asyncio.wrap_future(job.future)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may fail with nobody there
        gone = asyncio.create_task(_disconnected(request))
        try:
            await asyncio.wait({future, gone}, timeout=deadline - time.monotonic(), return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                job.cancel()
                raise Refusal(499, "The client is gone.") if gone.done() else Refusal(504)
            return future.result()
        except (DeadlinePassed, Cancelled):
            raise Refusal(504) from None
        finally:
            gone.cancel()

    async def _beside(self, inputs: Json, call: Callable[[], Json]) -> Json:
        try:
            return await to_thread.run_sync(call, limiter=self._threads)
        except AlbertkitError as error:
            raise Refusal(422, rule_of(error, inputs)) from None


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def listed(answer: Json) -> Json:
    """Arrays and their numbers as lists and numbers of Python."""
    if isinstance(answer, np.ndarray | np.generic):
        return answer.tolist()
    if isinstance(answer, dict):
        return {name: listed(one) for name, one in answer.items()}
    return [listed(one) for one in answer] if isinstance(answer, list | tuple) else answer
