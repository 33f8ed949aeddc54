#!/usr/bin/env bash
# An application of uvicorn 0.54.0 that is served through a socket of `socket.create_server`, without uvloop, answers every request
# on a kept connection 40 ms late: asyncio sets TCP_NODELAY only on sockets whose protocol is named, and that one says 0. The body of
# an answer then waits until the client has confirmed its head. The same socket with IPPROTO_TCP, and uvloop, answer at once.
# Seen on 2026-11-30, Python 3.11, Linux, httptools or h11.
# Matters to: whoever binds the socket of an ASGI server or of any protocol of asyncio himself, as for port 0 or a hand-over.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check uvicorn==0.54.0 h11==0.16.0 httpx==0.28.1
cd "$folder"
cat > program.py <<'PY'
import socket
import threading
import time

import httpx
import uvicorn


async def application(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ab"})


def milliseconds(protocol):
    """Of a request on a kept connection, through a listening socket with that protocol."""
    made = socket.create_server(("127.0.0.1", 0))
    listening = socket.socket(made.family, made.type, protocol, made.detach())
    config = uvicorn.Config(application, log_config=None, loop="asyncio", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
        client.post("/", content=b"a")
        start = time.perf_counter()
        for _ in range(50):
            client.post("/", content=b"a")
        found = 1000 * (time.perf_counter() - start) / 50
    server.should_exit = True
    thread.join()
    return found


named, unnamed = milliseconds(socket.IPPROTO_TCP), milliseconds(0)
print(f"a request takes {named:.1f} ms with IPPROTO_TCP, {unnamed:.1f} ms as socket.create_server makes it")
assert unnamed > 5 * named, "it is no longer so"
PY
"$folder/venv/bin/python" program.py
