"""What a connection sends around bodies: heads without end, none at all, and offers of other protocols."""

import json
import socket
import time

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("torch")
pytest.importorskip("httpx")

from albertkit.serving import run
from albertkit.serving.protocol import LONGEST_HEAD
from serving.live import KEY, Live

pytestmark = pytest.mark.torch
BODY = json.dumps({"inputs": "A fine film."}).encode()
LINE, HOST = b"POST /models/sequence HTTP/1.1\r\n", b"Host: a\r\nContent-Type: application/json\r\n"
KEYED, LENGTH = f"Authorization: Bearer {KEY}\r\n".encode(), b"Content-Length: %d\r\n" % len(BODY)
ASKED = LINE + HOST + KEYED + LENGTH


@pytest.fixture(scope="module")
def live(models):
    """A server that asks for a key."""
    started = Live(models, (KEY,))
    yield started
    started.stop()


@pytest.fixture
def connection(live):
    """A connection to it."""
    host, port = live.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as made:
        yield made


def answer(connection):
    """The status, the head in small letters, and the body of the next answer; None where the connection ends."""
    got = b""
    while b"\r\n\r\n" not in got:
        part = connection.recv(65536)
        if not part:
            return None
        got += part
    head, _, body = got.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split()[1]), head.lower(), body


@pytest.mark.parametrize(
    "offer",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA\r\n",
        b"connection: upgrade\r\nUPGRADE: websocket\r\nUpgrade: h2c\r\n",
    ],
)
@pytest.mark.parametrize("form", ["whole", "in parts", "chunked"])
def test_a_request_that_offers_another_protocol_is_answered_with_its_body(live, connection, offer, form):
    expected = live.client.post("/models/sequence", content=BODY, headers={"Content-Type": "application/json"})
    for _ in range(2):  # and so is the next one on the connection
        if form == "chunked":
            connection.sendall(LINE + HOST + KEYED + offer + b"Transfer-Encoding: chunked\r\n\r\n")
            connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))
        elif form == "in parts":
            connection.sendall(ASKED + offer + b"\r\n")
            time.sleep(0.05)
            connection.sendall(BODY)
        else:
            connection.sendall(ASKED + offer + b"\r\n" + BODY)
        status, _, body = answer(connection)
        assert (status, body) == (200, expected.content)


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (LINE + HOST, b"X: a\r\n" * 1000),
        (LINE + HOST + b"X: ", b"a" * 4096),
        (b"GET /", b"a" * 4096),
        (LINE + HOST + KEYED + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"X: a\r\n" * 1000),
        (LINE + HOST + KEYED + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 4096),
        (b"\r\n", b"\r\n" * 1000),
    ],
    ids=["fields", "one field", "address", "trailers", "chunk", "empty lines"],
)
def test_a_head_without_end_is_refused_at_its_bound(live, connection, start, part):
    connection.sendall(start)
    sent = 0
    try:
        while sent < 100 * LONGEST_HEAD:
            connection.sendall(part)
            sent += len(part)
            time.sleep(0.0005)  # so that not all of it is on its way before the server has looked
        pytest.fail("all was taken in")
    except ConnectionError:
        pass
    assert live.client.get("/health").status_code == 200


def test_the_refusal_of_a_long_head_says_its_bound(connection):
    connection.sendall(LINE + HOST + b"X: " + b"a" * (LONGEST_HEAD - 2048))
    time.sleep(0.1)
    connection.sendall(b"a" * 4096)
    status, head, body = answer(connection)
    assert (status, body) == (400, f"The head of a request may have {LONGEST_HEAD} bytes.".encode())
    assert b"connection: close" in head


def test_a_body_of_many_small_parts_is_no_head(connection):
    parts = b"".join(b"1;%b\r\n%c\r\n" % (b"x" * 2000, one) for one in BODY)
    assert len(parts) > LONGEST_HEAD / 2
    connection.sendall(LINE + HOST + KEYED + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(3):
        connection.sendall(b"".join(b"1;%b\r\n \r\n" % (b"x" * 2000) for _ in range(20)))
    connection.sendall(parts + b"0\r\nTrailer: a\r\n\r\n")
    assert answer(connection)[0] == 200


@pytest.mark.parametrize("sent", [b"", LINE + b"Host:", b"\r\n"])
def test_a_connection_without_a_head_is_closed_in_time(models, monkeypatch, sent):
    monkeypatch.setattr(run, "_KEEP_ALIVE", 0.3)
    live = Live(models)
    host, port = live.address.removeprefix("http://").split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=20) as made:
            made.sendall(sent)
            assert answer(made) is None
        with socket.create_connection((host, int(port)), timeout=20) as made:  # after an answer, too
            made.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert answer(made)[0] == 200
            made.sendall(sent)
            assert answer(made) is None
        with socket.create_connection((host, int(port)), timeout=20) as made:  # of a body it is not the bound
            made.sendall(ASKED + b"\r\n" + BODY[:5])
            time.sleep(0.6)
            made.sendall(BODY[5:])
            assert answer(made)[0] == 200
    finally:
        live.stop()


def test_after_a_refusal_no_part_of_a_body_is_taken_for_a_request(connection):
    hidden = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
    connection.sendall(LINE + HOST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(hidden))
    status, head, _ = answer(connection)
    assert status == 401
    assert b"connection: close" in head
    try:
        connection.sendall(hidden)
        assert answer(connection) is None
    except ConnectionError:
        pass


def test_a_body_that_was_taken_in_leaves_the_connection_to_the_next_request(connection):
    for _ in range(2):
        connection.sendall(LINE + HOST + LENGTH + b"\r\n" + BODY)
        status, head, _ = answer(connection)
        assert status == 401
        assert b"connection: close" not in head
