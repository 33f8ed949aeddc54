"""Inputs that come one after the other -> examples, a few at a time; what is said of a bad one, or stands beside."""

import itertools
from collections.abc import Callable, Iterator

from albertkit.errors import InputError, UnusableRows
from albertkit.tasks import bad_rows
from albertkit.tasks.base import AnyTask
from albertkit.tasks.examples import Examples
from albertkit.typing import Json, Record

WARNING = "warning"
"""The name under which a record has what speaks against its answer."""
_SIZES = (1, 8, 64, 512)
"""Inputs that are taken together, so that the first is answered at once and many are answered fast."""


def of_stream(task: AnyTask, stream: Iterator[Json], batch_size: int | None) -> Iterator[Examples]:
    """Examples of a task. InputError, saying which input, for one that is none.

    What the stream itself raises comes after the examples of the inputs that it gave before.
    """
    sizes, number = ((batch_size,) if batch_size else _SIZES), 0
    for size in itertools.chain(sizes, itertools.repeat(sizes[-1])):
        part, failure = _taken(stream, size)
        if part:
            yield from _examples(task, part, number)
        if failure is not None:
            raise failure
        if not part:
            return
        number += len(part)


def _taken(stream: Iterator[Json], size: int) -> tuple[list[Json], Exception | None]:
    """The next inputs, and what kept the stream from giving more."""
    part: list[Json] = []
    try:
        for one in itertools.islice(stream, size):
            part.append(one)
    except Exception as error:
        return part, error
    return part, None


def _examples(task: AnyTask, part: list[Json], number: int) -> Iterator[Examples]:
    """Those of inputs before which there were so many: together, or where one is none each by itself up to that."""
    try:
        yield task.examples(part)[0]
    except InputError:
        for row, one in enumerate(part, number + 1):
            try:
                yield task.examples([one])[0]
            except InputError as error:
                raise InputError(f"text {row}: {error}") from error


def refusal(part: Examples, number: int, error: InputError) -> InputError:
    """The error of the only example of a part, before which so many were answered, with where it stands."""
    told = f"{part.where([0]) or f'text {number + 1}'}: {error}"
    return InputError(f"{told} {bad_rows.WAY_OUT}" if part.path and isinstance(error, UnusableRows) else told)


def beside(shown: Record, answer: Record, warning: str | None, tell: Callable[[str], None]) -> Record:
    """An input and its answer as one record. A column of the name of an answer gets another, which is told.

    So does one called as warnings are, whether there is one or not: the columns of a table are those of all its rows.
    """
    own = {*answer, WARNING}
    for name in sorted(own & shown.keys()):
        what = "what speaks against an answer" if name == WARNING else "an answer"
        tell(f"The column {name!r} of the input is written as {f'input_{name}'!r}, for {name!r} is {what}.")
    told = {} if warning is None else {WARNING: warning}
    return {**{f"input_{name}" if name in own else name: value for name, value in shown.items()}, **answer, **told}
