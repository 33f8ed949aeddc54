"""Labels for the rows of a corpus: added to the whole row, which stays as it was, and by which rows are kept."""

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from albertkit.errors import InputError, did_you_mean, few
from albertkit.typing import Json, Record

_CONDITION = re.compile(
    r"\s*(?P<of>label|score|value|scores\.(?P<name>.+?))\s*(?P<sign>!=|>=|<=|=|>|<)(?P<to>.*)", re.DOTALL
)
_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class Condition:
    """What a row must meet to be kept."""

    of: str
    """label, score, value, or scores."""
    name: str
    """The class whose probability is meant, under scores."""
    sign: str
    to: tuple[str, ...] = ()
    bound: float = 0.0

    @classmethod
    def of_text(cls, text: str, classes: Sequence[str]) -> Self:
        """A condition as it is written; `classes` are those of the model, where it has any. InputError for none."""
        found = _CONDITION.fullmatch(text)
        of, sign = (found["of"].partition(".")[0], found["sign"]) if found else ("", "")
        if not found or (of == "label") != (sign in ("=", "!=")):
            raise InputError(
                "A condition is label=NAME, label=ONE,OTHER, label!=NAME, score>=0.5, value>=3 or scores.NAME>=0.5, "
                f"with >=, >, <= or < for numbers. Received: {text!r}."
            )
        name, to = found["name"] or "", found["to"].strip()
        if of == "label":
            named = (to,) if to in classes else tuple(one.strip() for one in to.split(","))
        else:
            named = (name,) if name else ()
        for one in named if classes else ():
            if one not in classes:
                raise InputError(
                    f"A condition names classes of the model: {few(list(classes), 20)}. Received: {one!r} in {text!r}."
                    f"{did_you_mean(one, classes)}"
                )
        if of == "label":
            return cls(of, "", sign, named)
        try:
            return cls(of, name, sign, bound=float(to))
        except ValueError:
            raise InputError(
                f"A condition compares with a number. Received: {text!r}. Write one such as score>=0.5."
            ) from None

    def holds(self, answer: Record) -> bool:
        """Whether an answer meets it."""
        if self.of == "label":
            labels = best(answer)
            among = {str(one) for one in (labels if isinstance(labels, list) else [labels])}
            return among.isdisjoint(self.to) == (self.sign == "!=")
        value = answer["scores"].get(self.name, 0.0) if self.of == "scores" else answer[self.of]
        return _NUMBERS[self.sign](value, self.bound)


@dataclass(frozen=True)
class Labelling:
    """What is added to rows, and which of them are kept."""

    label_field: str | None = None
    score_field: str | None = None
    conditions: tuple[Condition, ...] = ()
    replaces: bool = False
    """Whether fields of these names that a row has already are replaced."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The names that are added."""
        return tuple(filter(None, (self.label_field, self.score_field)))

    def added(self, answer: Record) -> Record:
        """What a row gets."""
        values = {self.label_field: best(answer), self.score_field: confidence(answer) if self.score_field else None}
        return {name: value for name, value in values.items() if name}

    def keeps(self, answer: Record) -> bool:
        """Whether a row with such an answer is kept."""
        return all(one.holds(answer) for one in self.conditions)

    def require_free(self, names: Iterable[str], place: str) -> None:
        """InputError for a row that has such a field already, unless that is to be replaced."""
        if not self.replaces and (held := [name for name in names if name in self.fields]):
            raise InputError(
                f"A label must not replace what a row holds. {place} has the field {held[0]!r} already. Pass "
                "--replace-fields to replace it, or name another."
            )


def require_labels(answer: Record, asked: Labelling, task: str) -> None:
    """InputError for a task whose answers have no label, or no score where one is asked for."""
    if not {"label", "labels", "value", "answer"} & answer.keys():
        raise InputError(
            f"Labels are those of classes, numbers, options and answers. Received: the task {task}, which has none. "
            "Leave --label-field, --score-field and --filter-by out: its whole answers are written then."
        )
    needs_score = asked.score_field or any(one.of == "score" for one in asked.conditions)
    if needs_score and "score" not in answer and not (asked.score_field and "labels" in answer):
        way_out = "scores.NAME" if "scores" in answer else "value"
        raise InputError(
            f"One class a row has a score. Received: a model of {'several' if 'scores' in answer else 'numbers'}. "
            f"Compare {way_out} in a condition, and leave --score-field out."
        )
    for one in asked.conditions:
        if one.of not in ("label", *answer) or (one.of == "scores" and not isinstance(answer["scores"], Mapping)):
            raise InputError(f"A condition needs what answers have: {', '.join(answer)}. Received: {one.of!r}.")


def best(answer: Record) -> Json:
    """The label of an answer: that of a class, a list of them, a number, or the text of an answer."""
    return next((answer[name] for name in ("label", "labels", "value", "answer") if name in answer), None)


def confidence(answer: Record) -> Json:
    """The probability of that label; of several a list."""
    return [answer["scores"].get(one) for one in answer["labels"]] if "labels" in answer else answer.get("score")


def into_line(line: str, fields: Record) -> str:
    """A JSON object as it is written, with fields more: all else keeps its very characters.

    A field that it has keeps its place and gets the new value. `line` is valid JSON.
    """
    text, found = line.strip(), dict(fields)
    for name, start, stop in reversed(list(_members(text)) if any(_may_hold(text, name) for name in fields) else []):
        if name in fields:
            text = text[:start] + _written(fields[name]) + text[stop:]
            found.pop(name, None)
    more = ", ".join(f"{_written(name)}: {_written(value)}" for name, value in found.items())
    body = text[:-1].rstrip()
    return f"{body}{', ' if more and body != '{' else ''}{more}}}"


def _may_hold(text: str, name: str) -> bool:
    return "\\" in text or name in text


def _written(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _members(text: str) -> Iterator[tuple[str, int, int]]:
    """The names of an object, and where the value of each stands."""
    place = _after_space(text, text.index("{") + 1)
    while not text.startswith("}", place):
        name, place = _DECODER.raw_decode(text, place)
        start = _after_space(text, _after_space(text, place) + 1)
        _, stop = _DECODER.raw_decode(text, start)
        yield name, start, stop
        place = _after_space(text, stop)
        if text.startswith(",", place):
            place = _after_space(text, place + 1)


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place
