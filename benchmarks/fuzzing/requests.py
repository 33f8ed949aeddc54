"""Requests that no client should send, made by Hypothesis from what a server says of itself in its OpenAPI.

Three kinds: bodies by the schema and against it, as schemathesis makes them; examples of the schema with odd values in
their places; and bytes that are no such body. All go over a socket.
"""

import json
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests import Request, Session
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

JSON_HEADERS = (("Content-Type", "application/json"),)
MARK = "Quetzal coatl"
"""Stands in many of the texts. A refusal that holds it repeats what was sent: it is no name, for those may be told."""
PLANNED = {503, 504}
"""Statuses of 500 and more that are no fault: a server that stops, and a deadline."""

_CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
_QUIET: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
}
"""Hypothesis as a source of cases: all are tried, none is kept, and the first fault does not end it."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Route:
    """What an OpenAPI says of one address and method."""

    method: str
    path: str
    statuses: frozenset[int]
    example: Any
    """A body that is answered, or None where there is none."""
    parameters: tuple[str, ...]
    """Names of options inside the body."""


def routes(description: Mapping[str, Any]) -> list[Route]:
    """All routes of an OpenAPI with an example of each body, from the examples of its fields."""
    found = []
    for path, methods in description["paths"].items():
        for method, one in methods.items():
            statuses = frozenset(int(status) for status in one["responses"])
            body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            schema = _resolved(description, body) if body else {}
            fields = schema.get("properties", {})
            example = {name: field["examples"][0] for name, field in fields.items() if "examples" in field}
            options = [_resolved(description, part) for part in fields.get("parameters", {}).get("anyOf", ())]
            names = [name for part in options for name in part.get("properties", ())]
            others = [name for name in fields if name not in (*example, "parameters")]
            found.append(Route(method.upper(), path, statuses, example or None, tuple(names or others)))
    return found


def _resolved(description: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    for part in schema.get("$ref", "").split("/")[1:]:
        description = description[part]
    return description if "$ref" in schema else schema


TEXTS = st.one_of(
    st.just(MARK),
    st.text(max_size=30),
    st.text(st.characters(codec=None), max_size=8),  # with halves of surrogate pairs
    st.sampled_from(
        ["", " ", "\0", "[MASK]", "A [MASK] of [MASK].", "[CLS][SEP]<pad>", "\ufeff", "\u202e\u200b", "🏳️‍🌈" * 40]
    ),
    st.builds(
        lambda part, times: part * times, st.sampled_from(["a ", "é", "漢", "a\u0301", "[MASK]"]), st.integers(1, 4000)
    ),
)
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.integers(),
    st.sampled_from([2**31, 2**63, -(2**63), 2**64, 10**30, 10**400, 1e308, -0.0, 5e-324]),
    st.floats(),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | NUMBERS
    | TEXTS
    | st.sampled_from(["all", "none", "mean", "windows", "float", "base64"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A value with another one somewhere in its place, or a part of it that is left out, doubled or new."""
    inside = isinstance(value, dict | list) and value and draw(st.integers(0, 5)) > 0
    if not inside:
        return draw(TEXTS if isinstance(value, str) and draw(st.booleans()) else VALUES)
    if isinstance(value, list):
        place = draw(st.integers(0, len(value) - 1))
        new = draw(st.lists(changed(value[place]), max_size=3))
        return [*value[:place], *new, *value[place + 1 :]]
    name, what = draw(st.sampled_from(sorted(value))), draw(st.integers(0, 5))
    if what == 0:
        return {key: one for key, one in value.items() if key != name}
    if what == 1:
        return {**value, draw(TEXTS): draw(VALUES)}
    return {**value, name: draw(changed(value[name]))}


@st.composite
def odd_bodies(draw: st.DrawFn, route: Route) -> bytes:
    """JSON that is almost what a route takes."""
    body = dict(route.example or {})
    for _ in range(draw(st.integers(0, 2))):
        body = draw(changed(body))
        if not isinstance(body, dict):
            break
    if isinstance(body, dict) and route.parameters:
        options = draw(st.dictionaries(st.sampled_from(route.parameters), VALUES, max_size=2))
        given = {"parameters": options} if "inputs" in body and "normalize" not in route.parameters else options
        body = {**body, **given} if options else body
    return json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@st.composite
def damaged_bodies(draw: st.DrawFn, route: Route) -> bytes:
    """Bytes made of what a route takes that are seldom JSON, or JSON that is hard to read."""
    body = json.dumps(route.example or {}).encode()
    place = draw(st.integers(0, len(body)))
    inserted = st.one_of(
        st.binary(max_size=6),
        st.sampled_from([b"[" * 20_000, b'{"a":' * 5_000, b"9" * 5_000, b"NaN", b"-Infinity", b"1e999"]),
    )
    return draw(
        st.one_of(
            st.just(body[:place]),
            st.builds(lambda part, cut: body[:place] + part + body[place + cut :], inserted, st.integers(0, 3)),
            st.sampled_from(["utf-16", "utf-32", "utf-8-sig", "cp037"]).map(lambda name: body.decode().encode(name)),
            st.binary(max_size=40),
            st.just(body[:-1] + b"," + body[1:]),  # every key twice
            inserted,
        )
    )


HEADERS = st.one_of(
    st.just(JSON_HEADERS),
    st.sampled_from(
        [
            (),
            (("Content-Type", "text/plain"),),
            (("Content-Type", "application/json; charset=utf-16"),),
            (("Content-Type", "multipart/form-data"),),
            (("Content-Type", "application/x-www-form-urlencoded"),),
            (*JSON_HEADERS, ("Content-Encoding", "gzip")),
            (*JSON_HEADERS, ("Accept", "text/html")),
            (*JSON_HEADERS, ("Range", "bytes=1-0")),
        ]
    ),
)


@st.composite
def requests(draw: st.DrawFn, known: list[Route]) -> tuple[Route, Asked]:
    """One of the routes, and a request to it."""
    route = draw(st.sampled_from(known))
    if route.example is None:
        return route, Asked(route.method, route.path, draw(HEADERS), draw(st.binary(max_size=20)))
    body = draw(odd_bodies(route) | damaged_bodies(route))
    return route, Asked(route.method, route.path, draw(HEADERS), body)


def faults(
    client: httpx.Client,
    made: st.SearchStrategy[tuple[Route, Asked]],
    count: int,
    seed: int,
    only: int | None = None,
    seen: Callable[[Asked, float], None] = lambda asked, seconds: None,
) -> list[str]:
    """What is wrong with the answers to so many requests. `only` is the one status that any may have."""
    found: list[str] = []

    @hypothesis.seed(seed)
    @settings(**_QUIET, max_examples=count)
    @given(made)
    def ask(one: tuple[Route, Asked]) -> None:
        route, asked = one
        start = time.monotonic()
        wrong = _fault(client, route, asked, only)
        seen(asked, time.monotonic() - start)
        if wrong:
            found.append(f"{wrong}: {asked.method} {asked.path} {asked.headers} {asked.body[:200]!r}")

    ask()
    return found


def _fault(client: httpx.Client, route: Route, asked: Asked, only: int | None) -> str | None:
    try:
        found = client.request(asked.method, asked.path, headers=list(asked.headers), content=asked.body)
    except httpx.HTTPError as error:
        return f"no answer: {type(error).__name__}"
    if only is not None and found.status_code != only:
        return f"status {found.status_code} in place of {only}"
    return fault_of(found.status_code, found.content, found.headers.get("content-type", ""), route.statuses)


def fault_of(status: int, content: bytes, kind: str, statuses: frozenset[int]) -> str | None:
    """The same of an answer's parts."""
    if status not in statuses:
        return f"status {status}, which is not described"
    if status >= 500 and status not in PLANNED:
        return f"status {status}"
    if status == 200:
        return None if not kind.startswith("application/json") or _is_json(content) else "200 without JSON"
    if not _is_json(content) or json.loads(content).keys() < {"error", "error_type"}:
        return f"status {status} without a rule"
    return f"status {status} repeats what was sent" if MARK.encode() in content else None


def _is_json(content: bytes) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(content, parse_constant=refuse)
    except ValueError:
        return False
    return True


def schema_faults(client: httpx.Client, count: int, seed: int) -> tuple[list[str], Counter[int]]:
    """What schemathesis says of the answers to `count` bodies a route by the schema, and as many against it.

    Also how many answers had each status. That a body by the schema is answered is not asked: which texts a model
    can take is no matter of a schema.
    """
    found, counts = [], Counter[int]()
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    schema.config.update(base_url=str(client.base_url))

    def ask(case: schemathesis.Case) -> None:
        given = case.as_transport_kwargs()
        request = Request(
            **{name: given[name] for name in ("method", "url", "headers", "data", "json", "params") if name in given}
        )
        request.headers.update(client.headers.items())
        answer = session.send(session.prepare_request(request), timeout=30)
        counts[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=_CHECKS)
        except schemathesis.errors.FailureGroup as failures:
            found.extend(f"{case.method} {case.path} {str(case.body)[:200]!r}: {one}" for one in failures.exceptions)

    with Session() as session:
        for operation in (one.ok() for one in schema.get_all_operations()):
            has_body = bool(operation.body)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE) if has_body else (GenerationMode.POSITIVE,):
                made = operation.as_strategy(generation_mode=mode)
                hypothesis.seed(seed)(settings(**_QUIET, max_examples=count)(given(made)(ask)))()
    return found, counts


def raw_faults(address: str, count: int, seed: int) -> list[str]:
    """What is wrong after bytes that are no HTTP, or not quite: the server closes, or answers with a status of 4xx."""
    chance, found = random.Random(seed), []
    host, port = address.removeprefix("http://").split(":")
    for _ in range(count):
        sent = _raw(chance)
        try:
            with socket.create_connection((host, int(port)), timeout=20) as one:
                one.sendall(sent)
                one.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda one=one: one.recv(65536), b""))
        except ConnectionError:
            continue  # closed over bytes that it did not read
        except TimeoutError:
            found.append(f"no end: {sent[:200]!r}")
            continue
        statuses = [line.split()[1][:1] for line in answer.splitlines() if line.startswith(b"HTTP/1.")]
        if any(status not in (b"2", b"4") for status in statuses):
            found.append(f"{statuses}: {sent[:200]!r}")
    return found


def _raw(chance: random.Random) -> bytes:
    """A request that is damaged in its head, in its length, or anywhere."""
    body = b'{"inputs": "a"}'
    good = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    parts = [
        good + b"Content-Length: %d\r\n\r\n" % chance.choice([0, 3, 14, 16, 10**6, 2**31, 2**64]) + body,
        good + b"Content-Length: -1\r\n\r\n" + body,
        good + b"Content-Length: 15\r\nContent-Length: 14\r\n\r\n" + body,
        good
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + chance.choice([b"zz\r\n", b"f\r\n", b"ffffffffffffffffff\r\n", b"0\r\n\r\n"])
        + body,
        good + b"Transfer-Encoding: chunked\r\nContent-Length: 15\r\n\r\nf\r\n" + body + b"\r\n0\r\n\r\n",
        good + b"X: " + b"a" * chance.choice([10, 70_000]) + b"\r\nContent-Length: 15\r\n\r\n" + body,
        good + b"X: a\r\n" * 3000 + b"Content-Length: 15\r\n\r\n" + body,
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /models/%00%ff/../..//health?%ff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        chance.randbytes(chance.randrange(1, 400)),
    ]
    sent = bytearray(chance.choice(parts))
    for _ in range(chance.choice([0, 0, 1, 4])):
        sent[chance.randrange(min(len(sent), 120))] = chance.randrange(256)
    return bytes(sent)
