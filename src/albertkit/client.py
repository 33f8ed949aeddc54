"""A client of `albertkit serve`, to be called and to be awaited: needs httpx alone, and no framework.

    from albertkit.client import Client

    with Client("http://127.0.0.1:8080") as client:
        client.answer("A fine film.")

What the server has no room for now (429), or while it starts or stops (503), is asked again, after as long as it says.
How many inputs it has cut, or could not read, is logged.
"""

import asyncio
import base64
import json
import logging
import random
import struct
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from albertkit.errors import AlbertkitError, InputError, MissingDependency
from albertkit.typing import Json, Record

try:
    import httpx
except ImportError:
    raise MissingDependency("albertkit.client", "httpx", "client") from None

logger = logging.getLogger(__name__)

AGAIN = (429, 503)
"""Statuses after which it is worth asking again."""
Http = TypeVar("Http")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0


class ServerError(AlbertkitError):
    """A server did not answer as asked; `status` is HTTP's, None where none came."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class _Asking:
    """What both clients have in common: addresses, bodies, and how often to ask again."""

    def __init__(self, url: str, api_key: str | None = None, timeout: float = 60.0, retries: int = 5) -> None:
        """`url` of the server, `timeout` in seconds for each try, `retries` beyond the first one.

        InputError for an address, a key or a number that no request can be made with.
        """
        if not url.startswith(("http://", "https://")):
            raise InputError(
                f"`url` must begin with http:// or https://. Received: {url!r}. Pass one such as http://127.0.0.1:8080."
            )
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise InputError(
                "`api_key` must be of ASCII letters, digits and signs. Received: another. Pass the server's."
            )
        if not timeout > 0 or retries < 0:
            raise InputError(
                "`timeout` must be above 0, and `retries` 0 or more. "
                f"Received: {timeout} and {retries}. Leave them out for 60 and 5."
            )
        self._retries = retries
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._options: dict[str, Json] = {"base_url": url, "headers": headers, "timeout": timeout}

    def _made(self, kind: "Callable[..., Http]") -> "Http":
        """A client of httpx. InputError for an address that is none."""
        try:
            return kind(**self._options)
        except httpx.InvalidURL as error:
            given = self._options["base_url"]
            raise InputError(f"`url` must be an address. Received: {given!r}: {error}. Pass another.") from None

    def _pause(self, tries: int, came: "httpx.Response | httpx.TransportError") -> float | None:
        """Seconds to wait before asking again after so many tries; None where what came is the last word."""
        said = ""
        if isinstance(came, httpx.Response):
            may_help = came.status_code in AGAIN
            said = came.headers.get("retry-after", "")
        else:
            may_help = isinstance(came, httpx.ConnectError)  # after others it may have been done all the same
        if not may_help or tries > self._retries:
            return None
        if said.isdecimal():
            return min(float(said), _LONGEST_PAUSE)
        # Clients that were refused together do not come back together.
        return min(_FIRST_PAUSE * 2 ** (tries - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1)


def _found(came: "httpx.Response | httpx.TransportError") -> Json:
    """The answer. ServerError where none came, for a refusal, with fields that are wrong, and for what is no JSON."""
    if isinstance(came, httpx.TransportError):
        raise ServerError(f"No answer came: {type(came).__name__}: {came}") from came
    try:
        found = came.json()
        told = "" if came.is_success else _refusal(found)
    except (ValueError, KeyError, TypeError):
        found, told = None, "no JSON" if came.is_success else came.reason_phrase
    if told:
        raise ServerError(f"The server answered {came.status_code}: {told}", came.status_code)
    if doubts := came.headers.get("Albertkit-Warnings"):
        logger.warning("Of the inputs that were sent some are not answered as they are: %s.", doubts)
    return found


def _refusal(found: Json) -> str:
    """What a server says of a request that it refuses. KeyError or TypeError where it is another's answer."""
    error = found["error"]
    if isinstance(error, dict):  # of /v1/, whose message names the fields
        return str(error["message"])
    places = [f"{'.'.join(one['where'])}: {one['rule']}" for one in found.get("fields", ())]
    return " ".join([str(error), *(f"({place})" for place in places)])


def _content(body: Json) -> Record:
    """A body, and what it is, for httpx. InputError for what has no JSON."""
    try:
        content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            "What is asked must be texts, finite numbers, truths, lists and mappings. "
            f"Received: another, or a text with half a character ({type(error).__name__}). Pass plain values."
        ) from None
    return {"content": content, "headers": {"Content-Type": "application/json"}}


def _request(model: str | None, inputs: Json, parameters: Json) -> tuple[str, Json]:
    body = {"inputs": inputs} | ({"parameters": parameters} if parameters else {})
    return ("/" if model is None else f"/models/{model}"), body


def _vectors(found: Json) -> list[list[float]]:
    """The vectors of an answer of /v1/embeddings, which come as little-endian float32."""
    raw = [base64.b64decode(row["embedding"]) for row in found["data"]]
    return [list(struct.unpack(f"<{len(one) // 4}f", one)) for one in raw]


def _embedding(texts: Sequence[str], model: str | None, dimensions: int | None) -> Json:
    if isinstance(texts, str):
        raise InputError("`texts` must be a list of texts. Received: a single text. Put it into a list.")
    chosen = {} if model is None else {"model": model}
    cut = {} if dimensions is None else {"dimensions": dimensions}
    return {"input": list(texts), "encoding_format": "base64", **chosen, **cut}


class Client(_Asking):
    """Asks a server and waits."""

    def __init__(self, url: str, api_key: str | None = None, timeout: float = 60.0, retries: int = 5) -> None:
        super().__init__(url, api_key, timeout, retries)
        self._http = self._made(httpx.Client)

    def answer(self, inputs: Json, model: str | None = None, **parameters: Json) -> Json:
        """The answers of a model, default the server's first, as its pipeline gives them. ServerError otherwise."""
        return self.post(*_request(model, inputs, parameters))

    def embed(self, texts: Sequence[str], model: str | None = None, dimensions: int | None = None) -> list[list[float]]:
        """The vector of each text. ServerError otherwise."""
        return _vectors(self.post("/v1/embeddings", _embedding(texts, model, dimensions)))

    def info(self) -> Json:
        """The server's models and limits."""
        return self._ask("GET", "/info")

    def post(self, path: str, body: Json) -> Json:
        """What any route answers. ServerError for refusals, and where no server is to be had."""
        return self._ask("POST", path, **_content(body))

    def _ask(self, method: str, path: str, **content: Json) -> Json:
        tries = 0
        while True:
            tries += 1
            try:
                came = self._http.request(method, path, **content)
            except httpx.TransportError as error:
                came = error
            pause = self._pause(tries, came)
            if pause is None:
                return _found(came)
            time.sleep(pause)

    def close(self) -> None:
        """Give back its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(_Asking):
    """The same for asyncio."""

    def __init__(self, url: str, api_key: str | None = None, timeout: float = 60.0, retries: int = 5) -> None:
        super().__init__(url, api_key, timeout, retries)
        self._http = self._made(httpx.AsyncClient)

    async def answer(self, inputs: Json, model: str | None = None, **parameters: Json) -> Json:
        """See Client."""
        return await self.post(*_request(model, inputs, parameters))

    async def embed(
        self, texts: Sequence[str], model: str | None = None, dimensions: int | None = None
    ) -> list[list[float]]:
        """See Client."""
        return _vectors(await self.post("/v1/embeddings", _embedding(texts, model, dimensions)))

    async def info(self) -> Json:
        """See Client."""
        return await self._ask("GET", "/info")

    async def post(self, path: str, body: Json) -> Json:
        """See Client."""
        return await self._ask("POST", path, **_content(body))

    async def _ask(self, method: str, path: str, **content: Json) -> Json:
        tries = 0
        while True:
            tries += 1
            try:
                came = await self._http.request(method, path, **content)
            except httpx.TransportError as error:
                came = error
            pause = self._pause(tries, came)
            if pause is None:
                return _found(came)
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Give back its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
