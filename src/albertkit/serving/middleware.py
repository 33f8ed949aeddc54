"""What every request goes through before its route: time and log, keys, and the size of its body. Plain ASGI."""

import asyncio
import contextlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from albertkit.serving.errors import Refusal

access = logging.getLogger("albertkit.serving.access")
logger = logging.getLogger(__name__)

OPEN = ("/health", "/ready")
"""Addresses that need no key."""
PAGE = "/page/"
"""Where the files of the page for browsers lie. It and they need none: the page asks for the key."""
PASSED_OVER, PATIENCE = 2**26, 5.0
"""Bytes of a refused body that are taken in at most, and the seconds that they may take."""
WARNINGS = "Albertkit-Warnings"
"""The header that says what speaks against answers."""


async def refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a refusal."""
    await JSONResponse(refusal.body(scope["path"]), refusal.status, refusal.headers)(scope, receive, send)


async def refuse_unread(refusal: Refusal, scope: Scope, receive: Receive, send: Send, is_going_on: bool = True) -> None:
    """The same to a request whose body is not read yet, or not to its end unless that is known to be there.

    As much of it as PASSED_OVER is taken in and dropped first: a connection that is closed over unread bytes is reset,
    and the client loses the answer. One that waits to be told to go on (`Expect`) has sent none. Where some of it may
    still come the connection ends, for that would be taken for the next request.
    """
    size = 0
    if "expect" not in Headers(scope=scope):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while is_going_on and size < PASSED_OVER:
                    message = await receive()
                    size, is_going_on = size + len(message.get("body", b"")), message.get("more_body", False)
    if is_going_on:
        refusal.headers["Connection"] = "close"
    await refuse(refusal, scope, receive, send)


class Observed:
    """Tells of each request, when it is over, its route, status and seconds: to a log of JSON lines, and to a counter.

    Nothing that was sent is told, and no address but those of the server's own routes.
    """

    def __init__(self, app: ASGIApp, seen: Callable[[str, int, float], None]) -> None:
        self.app, self.seen = app, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        start = time.monotonic()
        scope.setdefault("state", {})["arrived"] = start
        status = 499  # who asked was gone before there was an answer

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            began, status = status != 499, 500
            logger.error("A request failed: %s", type(error).__name__)
            if not began:
                await refuse(Refusal(500), scope, receive, send)
        finally:
            seconds = time.monotonic() - start
            route = getattr(scope.get("route"), "path", "unknown")
            self.seen(route, status, seconds)
            told = {"route": route, "method": scope["method"], "status": status, "ms": round(1000 * seconds, 2)}
            access.info(json.dumps({**told, **scope["state"].get("told", {})}))
        return None


class Warned:
    """Says beside answers how many inputs were cut, are empty, unknown to the vocabulary or unlike those of training.

    A header with the names of `pipelines.Call.doubts`, as a dictionary of RFC 9651: `truncated=1, unknown=2`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""

        async def warned(message: Message) -> None:
            doubts = scope.get("state", {}).get("doubts")
            if doubts and message["type"] == "http.response.start" and message["status"] == 200:
                told = ", ".join(f"{name}={count}" for name, count in doubts.items())
                MutableHeaders(scope=message)[WARNINGS] = told
            await send(message)

        await self.app(scope, receive, warned)


class Keyed:
    """Lets through requests with one of some keys as `Authorization: Bearer KEY`; 401 for others."""

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self.app, self.keys = app, [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or _is_open(scope) or self._knows(Headers(scope=scope)):
            return await self.app(scope, receive, send)
        return await refuse_unread(Refusal(401, headers={"WWW-Authenticate": "Bearer"}), scope, receive, send)

    def _knows(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        found = [
            hmac.compare_digest(given.strip().encode("latin-1"), key) for key in self.keys
        ]  # all: in constant time
        return scheme.lower() == "bearer" and any(found)


def _is_open(scope: Scope) -> bool:
    """Whether a request needs no key: for the state of the server, and for the page with its files."""
    path, is_read = scope["path"], scope["method"] in ("GET", "HEAD")
    return path in OPEN or (is_read and (path == "/" or path.startswith(PAGE)))


class Bounded:
    """Reads the body before anything else does: 413 for one that is too large, 408 for one that is late.

    One whose client goes in the middle goes no further.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int, deadline: float) -> None:
        self.app, self.most, self.deadline = app, max_body_bytes, deadline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        stated = Headers(scope=scope).get("content-length", "")
        try:
            async with asyncio.timeout(self.deadline):
                is_large = stated.isdecimal() and int(stated) > self.most
                body, is_going_on = (None, True) if is_large else await self._read(receive)
        except TimeoutError:
            return await refuse(Refusal(408, headers={"Connection": "close"}), scope, receive, send)
        except ClientDisconnect:
            return None
        if body is None:
            detail = f"A body may have {self.most} bytes. Send less, such as fewer inputs at a time."
            return await refuse_unread(Refusal(413, detail), scope, receive, send, is_going_on)
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        return await self.app(scope, again, send)

    async def _read(self, receive: Receive) -> tuple[bytes | None, bool]:
        """The body, None for one that is too large, and whether more of it may come."""
        parts, size, is_going_on = [], 0, True
        while is_going_on:
            message: dict[str, Any] = dict(await receive())
            if message["type"] != "http.request":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
            size, is_going_on = size + len(parts[-1]), message.get("more_body", False)
            if size > self.most:
                return None, is_going_on
        return b"".join(parts), False
