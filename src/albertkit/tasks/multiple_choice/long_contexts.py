"""Contexts that are longer than a model's input: cut, or read in windows, each beside all options of its question.

Letters: N questions, C options of a question.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from albertkit.backends import Outputs
from albertkit.tasks import pieces
from albertkit.tasks.features import Features, require_finite
from albertkit.tasks.multiple_choice.choice_columns import ChoiceOptions
from albertkit.tasks.windows import windows
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json

WINDOWS = "windows"
_SPECIAL = 3
"""Special tokens of a sequence."""


def encoded(
    tokenizer: AlbertTokenizerBase, firsts: Sequence[str], seconds: Sequence[Sequence[str]], options: ChoiceOptions
) -> Features:
    """First texts, each beside its C second ones, as rows of C sequences: one a question, or with windows several.

    Of a second text the last `max_qa_length` tokens are kept, and of the first what there is room for. With `long`
    windows it is read in as many as it fills, all options of a question beside the same part of it. What is cut is
    counted.
    """
    found = pieces.by_text(tokenizer, [*firsts, *(one for row in seconds for one in row)])
    whole = {text: one.ids for text, one in found.items()}
    longest, truncated = min(options.max_qa_length, options.max_length - _SPECIAL - 1), 0
    ids: list[Json] = []
    types: list[Json] = []
    owners: list[int] = []
    for number, (first, listed) in enumerate(zip(firsts, seconds, strict=True)):
        tails = [list(whole[one][-longest:]) for one in listed]
        is_cut = any(len(whole[one]) > longest for one in listed)
        rooms = [options.max_length - _SPECIAL - len(tail) for tail in tails]
        if options.long == WINDOWS:
            room = min(rooms)
            shared = min(options.doc_stride or room // 4, room // 2)  # what is left beside long options
            parts = [[window] * len(tails) for window in windows(len(whole[first]), room, shared)]
        else:
            is_cut = is_cut or len(whole[first]) > min(rooms)
            parts = [[range(min(room, len(whole[first]))) for room in rooms]]
        truncated += is_cut
        for part in parts:
            row = [(list(whole[first][w.start : w.stop]), tail) for w, tail in zip(part, tails, strict=True)]
            ids.append([tokenizer.build_inputs_with_special_tokens(*pair) for pair in row])
            types.append([tokenizer.create_token_type_ids_from_sequences(*pair) for pair in row])
            owners.append(number)
    asked = [[whole[one] for one in (first, *listed)] for first, listed in zip(firsts, seconds, strict=True)]
    several = owners if options.long == WINDOWS else None
    return Features(ids, types, example=several, whole=asked, truncated=truncated)


def of_rows(labels: Sequence[int], features: Features) -> np.ndarray:
    """(R,) int64, the right option of each row: a window has that of its question."""
    found = np.array(labels, np.int64)
    return found if features.example is None else found[np.asarray(features.example, np.int64)]


def merged(features: Features, outputs: Iterable[Outputs]) -> list[np.ndarray]:
    """(C,) float32 for each question the logits of its options: the mean over its windows, weighted by their tokens.

    InputError where they are not finite.
    """
    rows = [row["logits"] for row in outputs]
    for row in rows:
        require_finite(row[None])
    if features.example is None:
        return rows
    parts: dict[int, list[int]] = {}
    for place, owner in enumerate(features.example):
        parts.setdefault(owner, []).append(place)
    weights = features.lengths()
    return [
        np.average([rows[place] for place in one], 0, [weights[place] for place in one]).astype(np.float32)
        for one in parts.values()
    ]
