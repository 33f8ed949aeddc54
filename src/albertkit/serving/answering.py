"""One request through a pipeline: encoded and finished beside the model, computed together with others."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from albertkit.errors import InputError
from albertkit.pipelines import Call, Pipeline
from albertkit.serving import json_parts
from albertkit.serving.errors import Refusal, rule_of
from albertkit.serving.limits import Limits
from albertkit.serving.metrics import Metrics
from albertkit.serving.scheduler import Cancelled, DeadlinePassed, Job, QueueFull, Scheduler, Stopping, tokens_of
from albertkit.typing import Json, Record

Result = TypeVar("Result")
_FEW_BYTES, _FEW_NUMBERS = 2**11, 2**12
"""Of a body, and of what a model gives back for it: a request of no more is encoded and decoded at once."""
_WATCHED = 0.1
"""Seconds from which on it is noticed that a client goes: a task that waits for it costs more than a short answer."""


class Answering:
    """What routes answer with."""

    def __init__(self, scheduler: Scheduler, limits: Limits, metrics: Metrics) -> None:
        self._scheduler, self._limits, self._metrics = scheduler, limits, metrics
        self._threads = ThreadPoolExecutor(2, "albertkit-answering")
        """Encoding and decoding beside the model; more threads would only take its cores. A call whose client is gone
        is not begun, and one that is begun keeps its thread to its end."""
        self._requests = self._scores = 0
        self._over: deque[asyncio.Future[None]] = deque()
        """Those of one event loop that are to be told that their jobs are over."""

    async def answer(
        self,
        request: Request,
        name: str,
        model: Pipeline,
        inputs: Json,
        shaped: Callable[[Json], Json] = lambda answer: answer,
        **options: Json,
    ) -> Response:
        """The answer of a pipeline's call, or what `shaped` makes of it; see `response`. Refusal for none."""
        self._require_stride(model, options)
        async with self._taken(request, inputs) as deadline:
            is_small = len(await request.body()) <= _FEW_BYTES
            call = await self._done(lambda: self._prepared(model, inputs, options), at_once=is_small)
            request.state.doubts = call.doubts
            with self._kept(model, call):
                outputs = await self._computed(request, name, model, call, deadline)
                is_small = is_small and sum(one.size for row in outputs for one in row.values()) <= _FEW_NUMBERS
                return await self.response(lambda: shaped(call.finish(outputs)), at_once=is_small)

    async def plain(self, request: Request, inputs: Json, made: Callable[[], Json]) -> Response:
        """What a function makes of inputs without a model. Refusal for none."""
        async with self._taken(request, inputs):
            return await self.response(made, at_once=len(await request.body()) <= _FEW_BYTES)

    async def response(self, made: Callable[[], Json], at_once: bool = False) -> Response:
        """What a function gives, as JSON: all at once, or where that is long part by part as the client takes it."""

        def begun() -> tuple[bytes, bytes | None, Iterator[bytes]]:
            found = json_parts.parts(made())
            return next(found), next(found, None), found

        first, second, others = await self._done(begun, at_once)
        if second is None:
            return Response(first, media_type="application/json")

        async def each() -> AsyncIterator[bytes]:
            yield first
            part = second
            while part is not None:
                yield part
                part = await self._done(lambda: next(others, None))

        return StreamingResponse(each(), media_type="application/json")

    @asynccontextmanager
    async def _taken(self, request: Request, inputs: Json) -> AsyncIterator[float]:
        """The deadline of a request, by which what is done inside ends, as it does when its client goes.

        Refusal where too many are being answered, where it ends so, and for inputs that cannot be answered.
        """
        if self._requests >= self._limits.max_requests:
            raise Refusal(429, headers={"Retry-After": "1"})
        self._requests += 1
        deadline = request.state.arrived + self._limits.deadline
        try:
            async with asyncio.timeout(deadline - time.monotonic()), connected(request):
                yield deadline
        except TimeoutError:
            raise Refusal(504) from None
        except InputError as error:  # of the inputs, or of an option that only the answer asks for
            raise Refusal(422, rule_of(error, inputs)) from None
        finally:
            self._requests -= 1

    @contextmanager
    def _kept(self, model: Pipeline, call: Call) -> Iterator[None]:
        """Count the scores of words that a model gives back for a call. Refusal where they are too many to be kept."""
        words, most, places = model.config.vocab_size, self._limits.max_mask_scores, call.features.positions
        scores = 0 if places is None else words * sum(map(len, places))
        if scores > most:
            raise Refusal(413, f"A request may have {most // words} masks. Send fewer, such as fewer inputs at a time.")
        if self._scores + scores > most:
            raise Refusal(429, headers={"Retry-After": "1"})
        self._scores += scores
        try:
            yield
        finally:
            self._scores -= scores

    @staticmethod
    def _require_stride(model: Pipeline, options: Record) -> None:
        """Windows that move by a token at a time would make a small text endless."""
        for name in ("stride", "doc_stride"):
            given = options.get(name)
            if isinstance(given, int) and given > model.max_length // 2:
                raise Refusal(422, f"`{name}` may be at most half of the longest input, {model.max_length // 2}.")

    def _prepared(self, model: Pipeline, inputs: Json, options: Record) -> Call:
        """The inputs as the model takes them. Refusal for what cannot be answered, and for more than may be asked."""
        call = model.prepare(inputs, **options)
        tokens, most = sum(tokens_of(call.features)), self._limits.max_request_tokens
        if tokens > most:
            raise Refusal(413, f"A request may have {most} tokens. This one has {tokens}: send fewer.")
        return call

    async def _computed(self, request: Request, name: str, model: Pipeline, call: Call, deadline: float) -> list[Any]:
        """What the model gives back for each row of a call."""
        try:
            job = self._scheduler.submit(model.run, call.features, deadline)
        except QueueFull:
            raise Refusal(429, headers={"Retry-After": "1"}) from None
        except Stopping:
            raise Refusal(503) from None
        tokens = sum(job.lengths)
        self._metrics.tokens.labels(name).inc(tokens)
        try:
            return await self._wait(job)
        finally:
            waited = (job.started or time.monotonic()) - job.submitted
            self._metrics.waited.labels(name).observe(waited)
            request.state.told = {"model": name, "tokens": tokens, "waited_ms": round(1000 * waited, 2)}

    async def _wait(self, job: Job) -> list[Any]:
        """The outputs of a job; it is cancelled where nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        job.future.add_done_callback(lambda _: self._tell(loop, over))
        try:
            await over
            return job.future.result()
        except (DeadlinePassed, Cancelled):
            raise Refusal(504) from None
        except asyncio.CancelledError:
            job.cancel()
            raise

    def _tell(self, loop: asyncio.AbstractEventLoop, over: "asyncio.Future[None]") -> None:
        """Have who waits in a loop told, from another thread: all of a batch by one call into the loop."""
        self._over.append(over)
        if len(self._over) == 1 and not loop.is_closed():
            loop.call_soon_threadsafe(self._tell_all)

    def _tell_all(self) -> None:
        while self._over:
            over = self._over.popleft()
            if not over.done():
                over.set_result(None)

    async def _done(self, call: Callable[[], Result], at_once: bool = False) -> Result:
        """What a function gives: at once, or in a thread while other requests go on.

        To hand it to a thread and back takes longer than to encode a sentence.
        """
        if at_once:
            return call()
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


@asynccontextmanager
async def connected(request: Request) -> AsyncIterator[None]:
    """End what is done inside once the client goes: Refusal with 499, which nobody reads but the log.

    Answers that take no time are over before anybody looks.
    """
    work, is_gone, watching = asyncio.current_task(), False, list[asyncio.Task[None]]()

    async def watch() -> None:
        nonlocal is_gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        is_gone = True
        if work:
            work.cancel()

    soon = asyncio.get_running_loop().call_later(_WATCHED, lambda: watching.append(asyncio.create_task(watch())))
    try:
        yield
    except asyncio.CancelledError:
        if not is_gone or (work and work.uncancel()):  # by somebody else, such as the deadline
            raise
        raise Refusal(499, "The client is gone.") from None
    finally:
        soon.cancel()
        for task in watching:
            task.cancel()
