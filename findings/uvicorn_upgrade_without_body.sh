#!/usr/bin/env bash
# A request of HTTP/1.1 that offers another protocol reaches an application of uvicorn 0.54.0 on httptools 0.9.0 without its body, and
# is answered as if it had none: `Connection: Upgrade` and `Upgrade: h2c`, which Java's HttpClient sends with the first request of every
# connection. A server may pass over an offer, but then has to read the request as if it were not there (RFC 9110, 7.8). On h11 it does.
# Seen on 2026-11-30, Python 3.11, Linux. Known to uvicorn as issue 2722.
# Matters to: whoever takes bodies from clients in Java, Kotlin or Scala; frameworks answer 422 or 400 for a missing body.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check uvicorn==0.54.0 h11==0.16.0 httptools==0.9.0
cd "$folder"
cat > program.py <<'PY'
import socket
import threading
import time

import uvicorn

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA\r\n"


async def application(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    told = b"%d bytes" % len(body)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
    await send({"type": "http.response.body", "body": told})


def answered(parser, offer):
    """What an application is given of a body of five bytes."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, http=parser, ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    with socket.create_connection(listening.getsockname(), timeout=10) as client:
        client.sendall(HEAD + offer + b"\r\n12345")
        found = b""
        while b"bytes" not in found:
            found += client.recv(4096)
    server.should_exit = True
    thread.join()
    return found.split(b"\r\n\r\n")[-1].decode()


for parser in ("httptools", "h11"):
    print(f"{parser}: {answered(parser, b'')}, with an offer {answered(parser, OFFER)}")
assert answered("httptools", OFFER) == "0 bytes", "it is no longer so"
PY
"$folder/venv/bin/python" program.py
