"""What a connection may send around the bodies of its requests, and for how long: heads, and what frames a body.

uvicorn's protocol on httptools takes heads of any size, waits for them without end, and loses the body of a request
that offers another protocol (`Upgrade`), as every client of Java's own HttpClient does.
"""

import asyncio
import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 2**16
"""Bytes in which neither a head nor a part of a body comes to its end; what the system gives at a time comes on top."""
_OFFER, _UNKNOWN = re.compile(rb"\nupgrade:", re.IGNORECASE), b"\nignored:"
"""A field of a head, and one of the same length that means nothing. In JSON no line begins so."""


class Protocol(HttpToolsProtocol):
    """Answers what is no head by 400, closes what sends none in time, and passes over offers of other protocols."""

    _unframed = 0
    _is_in_body = _has_moved = False
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """The first head must come as soon as any other one."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a head, of a body, or of both."""
        if not self._is_in_body:
            data = _OFFER.sub(_UNKNOWN, data)
            if self._late is None:
                self._expect_head()
        self._has_moved = False
        super().data_received(data)
        self._unframed = 0 if self._has_moved else self._unframed + len(data)
        if self._unframed > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response(f"The head of a request may have {LONGEST_HEAD} bytes.")

    def on_headers_complete(self) -> None:
        """A head is there."""
        self._expect_nothing()
        self._is_in_body = self._has_moved = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body is there."""
        self._has_moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is there as a whole."""
        self._is_in_body, self._has_moved = False, True
        super().on_message_complete()

    def _expect_head(self) -> None:
        self._late = self.loop.call_later(self.timeout_keep_alive, self._give_up)

    def _give_up(self) -> None:
        self._late = None
        if self.cycle is None or self.cycle.response_complete:
            self.timeout_keep_alive_handler()
        else:  # a head that is sent ahead has time until what is before it is answered
            self._expect_head()

    def _expect_nothing(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
