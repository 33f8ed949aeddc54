"""The rows of a file that a model is tried on: by its export, by scales for int8, by measuring its speed."""

import logging
import os
from collections.abc import Iterator, Mapping

from albertkit.errors import InputError
from albertkit.inference import sample_rows
from albertkit.pipelines import Pipeline
from albertkit.tasks import bad_rows
from albertkit.tasks.bad_rows import BadRow
from albertkit.tasks.features import Features
from albertkit.typing import Json

logger = logging.getLogger(__name__)


def rows_of_file(
    answerer: Pipeline,
    path: str | os.PathLike[str],
    most: int,
    data: Mapping[str, Json] | None = None,
    *,
    is_distinct: bool = False,
) -> Features:
    """The first rows that the texts of a file make, `most` of them if there are so many; no two alike if `is_distinct`.

    `data` are options of the task's data, such as `text_column`. Rows that its `skip_bad_rows` leaves out are said, and
    how much the vocabulary does not know.
    For fill-mask pieces are masked here, since its texts need not have masks. InputError for a file that will not do.
    """
    left_out: list[BadRow] = []
    found = Features([], [])
    for features in _parts(answerer, path, data or {}, left_out):
        found = found.joined(features) if len(found) else features
        chosen = found.distinct()[0] if is_distinct else range(len(found))
        if len(chosen) >= most:
            break
    if told := bad_rows.told([*left_out, *answerer.left_out]):
        logger.warning(told)
    if answerer.unknown.is_large:
        logger.warning(answerer.unknown.describe(answerer.tokenizer))
    return found.take(found.distinct()[0][:most] if is_distinct else range(min(most, len(found))))


def require_file(path: str | os.PathLike[str] | None, option: str, data: Mapping[str, Json] | None) -> None:
    """InputError for options of a file, where none is given by an option of that name."""
    if path is None and data:
        raise InputError(
            f"How a file is read goes with one. Received: {', '.join(data)} without --{option}. Name the file, or "
            "leave them out."
        )


def _parts(
    answerer: Pipeline, path: str | os.PathLike[str], data: Mapping[str, Json], left_out: list[BadRow]
) -> Iterator[Features]:
    """What the model is given for each part of the file; rows that fill-mask leaves out are added to `left_out`."""
    parts = answerer.read(path, **data)
    if answerer.task.plain_text_task is None:
        skips = bool(data.get("skip_bad_rows", False))
        yield from (features for _, features in answerer.encoded(parts, skip_bad_rows=skips))
        return
    for examples in parts:
        left_out += examples.left_out
        texts = [*examples.texts()]
        if texts:
            yield sample_rows.of_texts(answerer.tokenizer, answerer.task.head, texts, answerer.max_length)
