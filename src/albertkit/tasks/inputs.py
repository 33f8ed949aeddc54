"""What a person passes to a pipeline, as texts and second texts: what could be meant in two ways is refused."""

from collections.abc import Iterable, Iterator, Mapping
from numbers import Integral

from albertkit.errors import InputError, abbreviate, did_you_mean
from albertkit.typing import Json

KEYS = ("text", "text_pair")
"""The keys of a pair, as in Transformers."""

_RULE = (
    'A pipeline takes a text, a pair {"text": ..., "text_pair": ...}, a list of such, or anything that gives one '
    "after the other, such as a generator."
)


def is_single(value: Json) -> bool:
    """Whether an input is one text or pair, and not several of them."""
    return isinstance(value, (str, Mapping))


def stream(value: Json) -> Iterator[Json] | None:
    """The inputs that a generator or data set gives one after the other, or None for what is all there at once."""
    at_once = (str, bytes, bytearray, Mapping, list, tuple, set, frozenset)
    if isinstance(value, at_once) or hasattr(value, "tolist") or hasattr(value, "columns"):
        return None
    if isinstance(value, Iterable):
        return iter(value)
    if hasattr(value, "__getitem__") and hasattr(value, "__len__"):  # a data set of PyTorch
        return (value[number] for number in range(len(value)))
    return None


def pairs(texts: Json, others: Json = None) -> tuple[list[str], list[str | None] | None]:
    """First texts, and for each its second text or None; None for all where there is no pair among them.

    `others` are second texts that were passed beside the first. InputError for what is neither text nor pair.
    """
    single = is_single(texts)
    rows = [texts] if single else _rows(texts)
    found = [
        _pair(row, f"text {number} of {len(rows)}, " if len(rows) > 1 else "") for number, row in enumerate(rows, 1)
    ]
    firsts, seconds = [first for first, _ in found], [second for _, second in found]
    if others is not None:
        seconds = _beside(seconds, others, single)
    return firsts, seconds if any(second is not None for second in seconds) else None


def _beside(seconds: list[str | None], others: Json, single: bool) -> list[str | None]:
    """The second texts that were passed beside the first. InputError where some have one already."""
    if not single and isinstance(others, str):
        raise InputError(f"A list of texts goes with a list of pairs. Received: {len(seconds)} texts and one string.")
    given = [others] if single else _rows(others)
    if len(given) != len(seconds):
        raise InputError(f"Every text needs its pair. Received: {len(seconds)} texts and {len(given)} pairs.")
    if any(second is not None for second in seconds):
        raise InputError("A second text is given once. Received: pairs, and second texts beside them. Leave one out.")
    return [_text(other, f"second text {number}, ") for number, other in enumerate(given, 1)]


def _rows(value: Json) -> list[Json]:
    """The inputs of a list, or of an array or column of one axis."""
    if isinstance(value, list):
        return value
    if hasattr(value, "tolist") and getattr(value, "ndim", 1) == 1:
        return list(value.tolist())
    hint = ""
    if isinstance(value, tuple):
        hint = " A tuple could be a pair or several texts: write the pair as above, or the texts as a list."
    elif hasattr(value, "columns"):
        hint = ' Pass one of its columns, such as table["text"].tolist().'
    raise InputError(f"{_RULE} Received: {_shown(value)}.{hint}")


def _pair(row: Json, place: str) -> tuple[str, str | None]:
    """One input as a text and a second one or None. `place` says in an error which it is."""
    if isinstance(row, Mapping):
        unknown = [key for key in row if key not in KEYS]
        if unknown or "text" not in row:
            wrong = f"{place}the keys {', '.join(map(repr, row)) or 'none'}"
            hint = did_you_mean(str(unknown[0]), KEYS) if unknown else ""
            raise InputError(f"A pair has the keys text and text_pair, and no others. Received: {wrong}.{hint}")
        second = row.get("text_pair")
        return _text(row["text"], place), None if second is None else _text(second, place)
    if isinstance(row, (list, tuple)) and len(row) == 1 and isinstance(row[0], (list, tuple)):
        row = row[0]  # [[["a", "b"]]] is an older form of a pair
    if isinstance(row, (list, tuple)) and len(row) == 2:
        return _text(row[0], place), _text(row[1], place)
    return _text(row, place), None


def _text(value: Json, place: str) -> str:
    if not isinstance(value, str):
        hint = " Decode it first." if isinstance(value, (bytes, bytearray)) else ""
        raise InputError(f"{_RULE} Received: {place}{_shown(value)}.{hint}")
    return str(value)


def _shown(value: Json) -> str:
    return f"{abbreviate(value, 60)}, a {type(value).__name__}"


def require_count(name: str, value: Json) -> None:
    """InputError unless an option is a whole number of at least 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise InputError(f"`{name}` must be a whole number of at least 1. Received: {abbreviate(value)}.")
