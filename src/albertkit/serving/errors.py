"""What goes wrong with a request, as a status and a sentence without anything that was sent."""

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


class Refusal(Exception):
    """A request that is not answered."""

    def __init__(self, status: int, detail: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.detail, self.headers = (
            status,
            detail or STATUSES.get(status, "The request is refused."),
            headers or {},
        )

    def body(self) -> Record:
        """As JSON."""
        return {"error": self.detail, "error_type": str(self.status)}


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
