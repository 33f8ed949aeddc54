"""The classes of a model in its config: `id2label`, `label2id` and `num_labels`, which must agree."""

import logging
from collections.abc import Collection, Iterator, Mapping

from albertkit.config_keys import LABELS, whole
from albertkit.errors import ConfigError, abbreviate

logger = logging.getLogger(__name__)


def default_labels(count: int) -> dict[int, str]:
    """LABEL_0, LABEL_1, ... by number. ConfigError where `count` is no number of classes."""
    if complaint := whole(LABELS).complaint("num_labels", count):
        raise ConfigError(complaint)
    return {index: f"LABEL_{index}" for index in range(count)}


def are_default(id2label: Mapping[int, str]) -> bool:
    """Whether classes are called as `default_labels` calls them."""
    return all(label == f"LABEL_{index}" for index, label in id2label.items())


def inverse(id2label: Mapping[int, str]) -> dict[str, int]:
    """`label2id` of an `id2label`."""
    return {label: index for index, label in id2label.items()}


def id2label_of(num_labels: object, id2label: object, label2id: object, present: dict[int, str]) -> dict[int, str]:
    """The names of classes by number that three keys state together; None is a key that states nothing.

    Names win over the number, and `id2label` over `label2id`. Where only the number is stated and it is that of the
    `present` names, these stay.

    Raises ConfigError for a value that is of the wrong form, or that gives two classes one number.
    """
    if num_labels is not None and (complaint := whole(LABELS).complaint("num_labels", num_labels)):
        raise ConfigError(complaint)
    by_label = None if label2id is None else _numbers_by_name(label2id)
    if id2label is not None:
        names = _names_by_number(id2label)
        if by_label and any(names.get(index) != label for label, index in by_label.items()):
            logger.warning("`label2id` and `id2label` contradict each other: using `id2label`.")
    elif by_label is not None:
        _require_distinct("label2id", by_label, set(by_label.values()))
        names = _names_by_number({index: label for label, index in by_label.items()})
    elif isinstance(num_labels, int) and num_labels != len(present or {}):
        return default_labels(num_labels)
    else:
        return present
    if num_labels is not None and num_labels != len(names):
        logger.warning("`num_labels` is %s but `id2label` names %d: using the names.", num_labels, len(names))
    return names


def disagreements(id2label: Mapping[int, str]) -> Iterator[str]:
    """A sentence where the numbers of classes are not 0, 1, 2, ..."""
    if not id2label or set(id2label) != set(range(len(id2label))):
        yield (
            "`id2label` must number the classes from 0 without a gap. Received the numbers: "
            f"{abbreviate(list(id2label))}. Number them anew; the names may stay."
        )


def _numbers_by_name(label2id: object) -> dict[str, int]:
    if not isinstance(label2id, Mapping) or not all(
        isinstance(label, str) and isinstance(index, int) for label, index in label2id.items()
    ):
        raise ConfigError(
            "`label2id` must map the name of each class to its number, such as {'no': 0, 'yes': 1}. Received: "
            f"{abbreviate(label2id)}."
        )
    return dict(label2id)


def _names_by_number(id2label: object) -> dict[int, str]:
    """The names of classes by their number, which JSON writes as text."""
    if not isinstance(id2label, Mapping) or not all(
        isinstance(index, (str, int)) and _is_number(str(index)) and isinstance(label, (str, int, float))
        for index, label in id2label.items()
    ):
        raise ConfigError(
            "`id2label` must map the number of each class to its name, such as {0: 'no', 1: 'yes'}. Received: "
            f"{abbreviate(id2label)}."
        )
    names = {int(index): str(label) for index, label in id2label.items()}
    _require_distinct("id2label", id2label, names.keys())
    return names


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 8


def _require_distinct(key: str, stated: Collection[object], numbers: Collection[int]) -> None:
    """ConfigError where two of the classes that a key states have one number, as "0" and "00" have."""
    if len(numbers) < len(stated):
        raise ConfigError(f"`{key}` must give each class a number of its own. Received: {abbreviate(stated)}.")
