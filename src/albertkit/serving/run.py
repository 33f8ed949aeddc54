"""A server as a process: from its start to its graceful stop."""

import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from albertkit.errors import InputError
from albertkit.serving.app import Server, settle
from albertkit.serving.protocol import Protocol

logger = logging.getLogger(__name__)

KEYS = "ALBERTKIT_API_KEYS"
"""The environment variable that holds keys, separated by commas."""
_KEEP_ALIVE = 75
"""Seconds until a connection is closed that nobody uses, or whose head does not come to its end.

More than clients wait before they close it themselves, 5 in httpx: of two that close at once the client's next request
is lost.
"""
_NEW_OBJECTS = 20_000
"""How many there may be before Python searches them for garbage: by default 700, as many as two requests make."""
_GRACE = 5.0
"""Seconds beyond the deadline of a request that a stop waits for those that are being answered."""


def api_keys(file: Path | None) -> list[str]:
    """The keys of a file, one a line, or of the environment; none where there is neither. InputError for bad ones."""
    if file is None:
        given, source = os.environ.get(KEYS, "").split(","), KEYS
    else:
        try:
            given, source = file.read_text(encoding="utf-8").splitlines(), str(file)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"A file of keys must be one of text that can be read. Received: {file}: {type(error).__name__}. Name "
                "another, or leave it out for no keys."
            ) from None
    keys = [key.strip() for key in given if key.strip() and not key.lstrip().startswith("#")]
    if not keys and (file is not None or KEYS in os.environ):
        raise InputError(f"Keys must stand one a line of a file. Received: none in {source}. Leave it out for no keys.")
    for number, key in enumerate(keys, start=1):
        if not key.isascii() or not key.isprintable() or " " in key:
            raise InputError(
                "A key must be of ASCII letters, digits and signs, without blanks. Received: another as number "
                f"{number} of {source}. Make one with: openssl rand -hex 32"
            )
    return keys


def origins(given: Sequence[str]) -> list[str]:
    """Origins of pages as browsers send them, or `*` for all. InputError for what no browser sends."""
    for one in given:
        scheme, _, host = one.partition("://")
        if one != "*" and (not (scheme and host) or set(host) & set("/?#@ ") or one != one.lower()):
            raise InputError(
                "An origin must be a scheme, a host and, where it is not the scheme's own, a port, in small letters "
                f"and with nothing behind. Received: {one!r}. Name one such as https://example.org, or '*' for all."
            )
    return list(given)


class _Process(uvicorn.Server):
    """Says that it is not ready any more as soon as it is told to stop."""

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self._server = server

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal to stop."""
        self._server.is_stopping = True
        super().handle_exit(sig, frame)


def config_of(app: FastAPI) -> uvicorn.Config:
    """How uvicorn serves an application."""
    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=round(app.state.server.limits.deadline + _GRACE),
    )


def serve(app: FastAPI, host: str, port: int, told: Sequence[str] = ()) -> None:
    """Serve until a signal stops it: what was taken is answered. SIGHUP loads the models again.

    `told` are lines for the log once it listens. InputError where the address cannot be listened at.
    """
    server: Server = app.state.server
    listening = _listen(host, port)
    settle()
    gc.set_threshold(_NEW_OBJECTS)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda sig, frame: threading.Thread(target=_reload, args=(server,)).start())
    config = config_of(app)
    shown = f"[{host}]" if ":" in host else host
    logger.warning("Serving %s at http://%s:%d", ", ".join(server.models.names), shown, listening.getsockname()[1])
    for line in told:
        logger.warning(line)
    before = {sig: signal.signal(sig, lambda sig, frame: None) for sig in (signal.SIGINT, signal.SIGTERM)}
    try:  # a stop by signal is the usual end: uvicorn sends itself the signal again, which does nothing then
        _Process(config, server).run(sockets=[listening])
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)
        server.scheduler.stop()
    logger.warning("Stopped.")


def _listen(host: str, port: int) -> socket.socket:
    """A socket that says that it is of TCP: asyncio's connections send small parts at once only then.

    Otherwise the body of each answer waits 40 ms for the client to confirm its head.
    """
    try:
        made = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
        return socket.socket(made.family, made.type, socket.IPPROTO_TCP, made.detach())
    except (OSError, OverflowError) as error:
        raise InputError(
            f"A server needs an address of this machine that is free. Received: {host} and port {port}: {error}. Name "
            "others with --host and --port; port 0 takes any that is free."
        ) from None


def _reload(server: Server) -> None:
    try:
        server.reload()
    except Exception as error:
        logger.error("The models were not loaded again, and the former ones go on: %s", type(error).__name__)
    else:
        logger.warning("The models were loaded again: %s", ", ".join(server.models.names))
