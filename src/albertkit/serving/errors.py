"""What goes wrong with a request, as a status and a sentence without anything that was sent."""

from collections.abc import Sequence

from albertkit.errors import AlbertkitError
from albertkit.typing import Json, Record

STATUSES = {
    401: "No key, or a wrong one.",
    404: "There is no such route or model, or none for this.",
    405: "Not by this method.",
    408: "The body did not come before the deadline.",
    413: "The body, or the number of its tokens, is too large.",
    422: "The request cannot be answered as it is.",
    429: "Too much waits: try again later.",
    500: "A fault of the server.",
    503: "The server is starting or stopping.",
    504: "The deadline has passed.",
}
"""Every status of a refusal, and what it means."""
OPENAI = "/v1/"
"""Where addresses begin that are those of OpenAI's API."""


class Refusal(Exception):
    """A request that is not answered."""

    def __init__(self, status: int, detail: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.detail, self.headers = (
            status,
            detail or STATUSES.get(status, "The request is refused."),
            headers or {},
        )

    def body(self, path: str, fields: Sequence[Record] = ()) -> Record:
        """As JSON for the address that was asked, with the fields that are wrong: `where` and the `rule` of each.

        Clients of OpenAI show the `message` of an `error` and nothing else.
        """
        error: Json = self.detail
        if path.startswith(OPENAI):
            places = [f"({'.'.join(one['where'])}: {one['rule']})" for one in fields]
            kind = "invalid_request_error" if self.status < 500 else "server_error"
            error = {"message": " ".join([self.detail, *places]), "type": kind, "param": None, "code": str(self.status)}
        return {"error": error, "error_type": str(self.status), **({"fields": [*fields]} if fields else {})}


def described(path: str) -> dict[int | str, Record]:
    """Every refusal at an address, as OpenAPI describes responses."""
    return {
        status: {
            "description": meaning,
            "content": {"application/json": {"example": Refusal(status).body(path)}},
        }
        for status, meaning in STATUSES.items()
    }


def rule_of(error: AlbertkitError, inputs: Json) -> str:
    """The rule that an error names. What was received, with which messages go on, and texts of inputs are left out."""
    rule = str(error).partition(" Received")[0]
    for text in sorted(_texts(inputs), key=len, reverse=True):
        rule = rule.replace(text, "...")
    return rule


def _texts(inputs: Json) -> list[str]:
    if isinstance(inputs, str):
        return [inputs] if len(inputs) > 3 else []
    if isinstance(inputs, dict):
        inputs = list(inputs.values())
    return [text for one in inputs for text in _texts(one)] if isinstance(inputs, list | tuple) else []
