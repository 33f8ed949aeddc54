"""Clients that go in the middle of a request: of sending it, of waiting for its answer, of reading that."""

import json
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

MOMENTS = ("upload", "waiting", "reading")


def leave(address: str, path: str, body: Any, moment: str, headers: Mapping[str, str], wait: float = 0.0) -> None:
    """Begin a request and go, with a reset where the system lets us."""
    content = json.dumps(body).encode()
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{told}Content-Length: {len(content)}\r\n"
    )
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.sendall(f"{head}\r\n".encode() + content[: len(content) // 2 if moment == "upload" else None])
        time.sleep(wait)
        if moment == "reading" and not one.recv(64).startswith(b"HTTP/1.1 200"):
            raise AssertionError("The answer was no answer.")
