"""The same bytes past FastAPI and through it, over a socket: whole answers are the same, byte for byte."""

import gzip
import json
import socket
import time

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("torch")
pytest.importorskip("httpx")

from albertkit.serving import app
from serving.live import KEY, Live

pytestmark = pytest.mark.torch
ORIGIN = "https://example.org"
TEXT = json.dumps({"inputs": "A fine film."}).encode()
BODIES = {
    "text": TEXT,
    "texts": b'{"inputs": ["A fine film.", "", "A dull one."]}',
    "no texts": b'{"inputs": []}',
    "a pair": b'{"inputs": {"text": "One.", "text_pair": null}}',
    "parameters": b'{"inputs": "A film.", "parameters": {"top_k": 1, "function_to_apply": "SIGMOID"}}',
    "null parameters": b'{"inputs": "A film.", "parameters": null}',
    "empty parameters": b'{"inputs": "A film.", "parameters": {}}',
    "a text that is cut": json.dumps({"inputs": "many words " * 300}).encode(),
    "a text that may not be cut": json.dumps(
        {"inputs": "many words " * 99, "parameters": {"truncation": False}}
    ).encode(),
    "too many tokens": json.dumps({"inputs": ["many words " * 60] * 99}).encode(),
    "too many bytes": json.dumps({"inputs": "a" * 40_000}).encode(),
    "a wide stride": b'{"inputs": "A film.", "parameters": {"stride": 60, "long": "windows"}}',
    "no body": b"",
    "blanks": b"  \n",
    "half of it": TEXT[:9],
    "more behind it": TEXT + b"{}",
    "a list": b'["A fine film."]',
    "null": b"null",
    "a number": b"3",
    "a number as text": b'{"inputs": 3}',
    "an unknown field": b'{"inputs": "A film.", "input": "A film."}',
    "a field twice": b'{"inputs": 3, "inputs": "A fine film."}',
    "a field twice, the first right": b'{"inputs": "A fine film.", "inputs": 3}',
    "NaN": b'{"inputs": NaN}',
    "NaN for a share": b'{"inputs": "A film.", "parameters": {"abstain_below": NaN}}',
    "Infinity for a share": b'{"inputs": "A film.", "parameters": {"abstain_below": -Infinity}}',
    "a share of one": b'{"inputs": "A film.", "parameters": {"abstain_below": 1}}',
    "an integer as a float": b'{"inputs": "A film.", "parameters": {"top_k": 2.0}}',
    "an integer beyond 64 bits": b'{"inputs": "A film.", "parameters": {"top_k": 18446744073709551617}}',
    "an integer of many digits": b'{"inputs": "A film.", "parameters": {"top_k": ' + b"9" * 5000 + b"}}",
    "a float beyond any": b'{"inputs": "A film.", "parameters": {"abstain_below": 1e400}}',
    "a truth for a number": b'{"inputs": "A film.", "parameters": {"top_k": true}}',
    "deep lists": b'{"inputs": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deep lists without end": b"[" * 30_000,
    "deep objects": b'{"inputs": ' + b'{"a":' * 3000 + b"1" + b"}" * 3001,
    "bytes that are no text": b'{"inputs": "\xff\xfe"}',
    "a half character": b'{"inputs": "\\ud83d"}',
    "a half character in a name": b'{"inputs": "a", "\\ud83d": 1}',
    "zero in a text": b'{"inputs": "a\\u0000b"}',
    "a mark of order": b"\xef\xbb\xbf" + TEXT,
    "UTF-16": TEXT.decode().encode("utf-16"),
    "UTF-32": TEXT.decode().encode("utf-32-le"),
    "packed": gzip.compress(TEXT),
}
JSON = ["Content-Type: application/json"]
HEADS = {
    "plain": JSON,
    "in capitals": ["CONTENT-TYPE: Application/JSON"],
    "with a charset": ["Content-Type: application/json; charset=utf-8"],
    "with another charset": ["Content-Type: application/json;charset=latin-1"],
    "with a quoted parameter": ['Content-Type: application/json ; a="b;c"'],
    "none": [],
    "empty": ["Content-Type:"],
    "text": ["Content-Type: text/plain"],
    "a form": ["Content-Type: application/x-www-form-urlencoded"],
    "another kind of JSON": ["Content-Type: application/problem+json"],
    "two, the first JSON": [*JSON, "Content-Type: text/plain"],
    "two, the second JSON": ["Content-Type: text/plain", *JSON],
    "two in one": ["Content-Type: application/json, text/plain"],
    "packed": [*JSON, "Content-Encoding: gzip"],
    "of a page": [*JSON, f"Origin: {ORIGIN}"],
    "of another page": [*JSON, "Origin: https://example.com"],
    "what it takes": [*JSON, "Accept: text/html", "Accept-Encoding: gzip, br", "Range: bytes=0-3"],
    "a long one": [*JSON, "X-Long: " + "a" * 20_000],
    "a mark": [*JSON, "If-None-Match: *", "If-Modified-Since: Mon, 30 Nov 2026 00:00:00 GMT"],
}
PATHS = {
    "/models/sequence": {"inputs": "A film."},
    "/": {"inputs": "A film."},
    "/models/tokens": {"inputs": "Anna went to Rome."},
    "/models/questions": {"inputs": {"question": "Who?", "context": "Peter came."}},
    "/models/choices": {"inputs": {"question": "Which?", "choices": ["one", "two"]}},
    "/models/masks": {"inputs": "A [MASK] of tea."},
    "/models/vectors": {"inputs": "A text."},
    "/embed": {"inputs": ["A text."]},
    "/similarity": {"inputs": {"source_sentence": "a", "sentences": ["b", "c"]}},
    "/rerank": {"query": "a", "texts": ["b", "c"]},
    "/tokenize": {"inputs": "A cup."},
    "/v1/embeddings": {"input": "a", "encoding_format": "base64", "user": "nobody"},
    "/models/sequence/": {"inputs": "A film."},
    "//models/sequence": {"inputs": "A film."},
    "/models/%73equence": {"inputs": "A film."},
    "/models/sequence?top_k=1": {"inputs": "A film."},
    "/models/sequence%20": {"inputs": "A film."},
    "/models/%ff%00": {"inputs": "A film."},
    "/models/../models/sequence": {"inputs": "A film."},
    "/MODELS/sequence": {"inputs": "A film."},
    "/models/": {"inputs": "A film."},
    "http://a/models/sequence": {"inputs": "A film."},
}


@pytest.fixture(scope="module")
def servers(models):
    """Two, of which the second lets nothing past FastAPI."""
    limits = {"max_body_bytes": 32_768, "max_request_tokens": 1_000}
    started = [Live(models, (KEY,), (ORIGIN,), **limits)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(app, "targets", lambda routes: {})
        started.append(Live(models, (KEY,), (ORIGIN,), **limits))
    yield started
    for one in started:
        one.stop()


@pytest.fixture
def both(servers):
    """What gives the one answer of both to some bytes."""

    def ask(sent):
        first, second = (_asked(one.address, sent) for one in servers)
        assert first == second
        return first

    return ask


def _asked(address, sent):
    """All that comes until the connection ends, but for the date."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(sent)
        got = b"".join(iter(lambda: connection.recv(65536), b""))
    return b"\r\n".join(line for line in got.split(b"\r\n") if not line.startswith(b"date: "))


def request(path="/models/sequence", body=TEXT, head=JSON, method="POST", version="1.1", key=KEY, framing=None):
    keyed = [] if key is None else [f"Authorization: Bearer {key}"]
    framing = [f"Content-Length: {len(body)}"] if framing is None else framing
    lines = [f"{method} {path} HTTP/{version}", "Host: a", "Connection: close", *keyed, *head, *framing, "", ""]
    return "\r\n".join(lines).encode() + body


def status(answer):
    return int(answer.split()[1])


def test_bodies_have_the_same_answers(both):
    found = {name: status(both(request(body=body))) for name, body in BODIES.items()}
    assert set(found.values()) == {200, 413, 422}
    answered = {name for name, one in found.items() if one == 200}
    assert {"text", "texts", "a field twice", "UTF-16", "a text that is cut", "zero in a text"} <= answered
    assert {name for name, one in found.items() if one == 413} == {"too many tokens", "too many bytes"}
    assert not answered & {"NaN", "a field twice, the first right", "bytes that are no text", "packed", "no body"}


def test_heads_have_the_same_answers(both):
    found = {name: status(both(request(head=head))) for name, head in HEADS.items()}
    answered = {"plain", "in capitals", "with a charset", "with another charset", "with a quoted parameter"}
    assert answered <= {name for name, one in found.items() if one == 200}
    assert found["text"] == found["none"] == found["two in one"] == 422
    assert b"access-control-allow-origin: https://example.org" in both(request(head=HEADS["of a page"]))
    assert b"allow-origin" not in both(request(head=HEADS["of another page"]))


def test_addresses_have_the_same_answers(both):
    found = {path: status(both(request(path, json.dumps(body).encode()))) for path, body in PATHS.items()}
    assert {path for path, one in found.items() if one == 404} == {
        "/models/sequence/", "//models/sequence", "/models/sequence%20", "/models/%ff%00",
        "/models/../models/sequence", "/MODELS/sequence", "/models/",
    }  # fmt: skip
    assert {one for one in found.values() if one != 404} == {200}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "REPORT"])
def test_other_methods_are_405_and_told_which_there_are(both, method):
    found = both(request(method=method))
    assert (status(found), b"allow: POST" in found) == (405, True)


def test_a_page_that_asks_first_is_told_what_it_may(both):
    asked = [
        f"Origin: {ORIGIN}",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: authorization",
    ]
    assert status(both(request(method="OPTIONS", head=asked, key=None))) == 200


@pytest.mark.parametrize("key", [None, "wrong", KEY.upper(), f"{KEY} {KEY}", f"{KEY}\t", ""])
def test_keys_have_the_same_answers(both, key):
    assert status(both(request(key=key))) == (200 if key is not None and key.strip() == KEY else 401)


def test_forms_of_a_connection_have_the_same_answers(both):
    part = b"%x\r\n%b\r\n0\r\n\r\n" % (len(TEXT), TEXT)
    chunked = request(body=part, framing=["Transfer-Encoding: chunked"])
    old = request(version="1.0")
    waiting = request(head=[*JSON, "Expect: 100-continue"])
    two = request().replace(b"Connection: close", b"Connection: keep-alive", 1) + request()
    offering = request(head=[*JSON, "Upgrade: h2c"]).replace(b"Connection: close", b"Connection: Upgrade, close")
    plain = both(request())
    for sent in (chunked, old, offering):
        assert both(sent) == plain
    assert both(waiting) == b"HTTP/1.1 100 Continue\r\n\r\n" + plain
    assert both(two).count(b"HTTP/1.1 200 OK") == 2
    assert status(both(request(framing=["Content-Length: 10"]))) == 422
    for wrong in (["Content-Length: -1"], ["Content-Length: 1", "Content-Length: 2"], ["Transfer-Encoding: gzip"]):
        assert both(request(framing=wrong)).startswith(b"HTTP/1.1 400")
    assert both(request(framing=["Content-Length: +27"])).startswith(b"HTTP/1.1 400")


def test_both_have_counted_the_same(both, servers):
    for path, body in PATHS.items():
        both(request(path, json.dumps(body).encode()))
    for body in (BODIES["null"], BODIES["too many bytes"]):
        both(request(body=body))
    both(request(key="wrong"))
    deadline = time.monotonic() + 30
    while (told := [_counts(one) for one in servers])[0] != told[1] and time.monotonic() < deadline:
        time.sleep(0.05)  # a client that has left is counted when that is seen
    assert told[0] == told[1]
    assert {line.split('status="')[1][:3] for line in told[0] if "requests" in line} >= {
        "200",
        "401",
        "404",
        "413",
        "422",
    }
    assert len(told[0]) > 20


def _counts(server):
    """What a server has counted of requests and tokens."""
    kinds = ("albertkit_requests_total", "albertkit_tokens_total")
    return [line for line in server.client.get("/metrics").text.splitlines() if line.startswith(kinds)]
