"""Clients that leave the cores which they share with a server to it: bytes of HTTP/1.1 made before, kept connections.

A request of httpx takes a core as long as a hundred of these, and as long as the server itself: it starves what it
measures.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator

from albertkit.typing import Json


def requests(path: str, bodies: list[Json]) -> list[bytes]:
    """A POST of JSON for each body."""
    contents = [json.dumps(one).encode() for one in bodies]
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return [f"{head}Content-Length: {len(one)}\r\n\r\n".encode() + one for one in contents]


class Connection(asyncio.Protocol):
    """One request after the other. RuntimeError for an answer that is none, or that has no length."""

    def __init__(self, answered: Callable[["Connection"], None]) -> None:
        self._answered, self._held = answered, b""
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self.transport: Json = transport

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self._held += data
        head, mark, body = self._held.partition(b"\r\n\r\n")
        if not mark:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not head.startswith(b"HTTP/1.1 200") or not length:
            self.over.set_exception(RuntimeError(f"An answer must be 200 with a length. Received: {head!r}."))
            self.transport.close()
        elif len(body) == int(length):
            self._held = b""
            self._answered(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        if not self.over.done():
            self.over.set_exception(exc) if exc else self.over.set_result(None)


async def closed_loop(port: int, asked: Iterator[bytes], clients: int, seconds: float) -> float:
    """Requests a second of clients that each wait for an answer before they ask again."""
    done, start = 0, time.perf_counter()

    def answered(one: Connection) -> None:
        nonlocal done
        done += 1
        if time.perf_counter() < start + seconds:
            one.ask(next(asked))
        else:
            one.transport.close()

    loop = asyncio.get_running_loop()
    all_of_them = []
    for _ in range(clients):
        _, one = await loop.create_connection(lambda: Connection(answered), "127.0.0.1", port)
        one.ask(next(asked))
        all_of_them.append(one.over)
    await asyncio.gather(*all_of_them)
    return done / (time.perf_counter() - start)
