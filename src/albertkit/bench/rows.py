"""What every candidate answers for: rows of ids, of the user's texts or drawn by seed, and single texts by length."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from albertkit import sampling
from albertkit.errors import InputError
from albertkit.inference import exported, parts, sample_rows
from albertkit.pipelines import Pipeline
from albertkit.tasks.features import Features
from albertkit.typing import Json, Record

LENGTHS = (16, 128)
"""Tokens of the single texts where none are asked for; of a model with fewer places as many as it has."""
SINGLES = 32
"""Texts of each length whose latency is taken, in turn."""
_MEDIAN, _SPREAD = 22, 0.7
"""Drawn lengths are log-normal, as those of sentences are: the median in tokens, the deviation of the log."""


@dataclass(frozen=True)
class Rows:
    """The rows of one measurement."""

    task: str
    many: Features
    """No two alike, for an engine would compute these once."""
    singles: dict[int, Features]
    """By length in tokens."""
    data: str
    """What they are, in words."""

    def tokens(self, count: int) -> int:
        """The tokens of the first `count` rows; of several sequences a row all of them."""
        return sum(_tokens(row) for row in self.many.input_ids[:count])


def of_model(
    model: str | os.PathLike[str],
    file: str | None,
    lengths: list[int],
    most: int,
    seed: int,
    max_length: int | None,
    data: Mapping[str, Json] | None = None,
    trust_program: bool = False,
) -> Rows:
    """Rows for the task that a model was made for: the first `most` distinct ones of a file, or drawn ones.

    `lengths` are those of single texts, LENGTHS where there are none. `data` are options of the file.
    InputError for a length that the model has no room for, and for a file without rows.
    """
    sampling.require_file(file, "data", data)
    framework = None if exported.find(model, None, None) else "numpy"
    loaded = parts.load(None, model, framework, None, None, {}, trust_program=trust_program)
    answerer = Pipeline(*loaded, max_length=max_length)
    longest = loaded.engine.config.max_position_embeddings
    _require_lengths(lengths, longest)
    lengths = lengths or sorted({min(length, longest) for length in LENGTHS})
    singles = {length: _drawn(answerer, loaded.engine.head, [length] * SINGLES, seed + length) for length in lengths}
    if file is None:
        rng = np.random.default_rng(seed)
        drawn = rng.lognormal(np.log(_MEDIAN), _SPREAD, most).round().clip(4, answerer.max_length).astype(int)
        many = _drawn(answerer, loaded.engine.head, drawn.tolist(), seed)
        return Rows(loaded.task.name, many, singles, f"random ids, with lengths as sentences have them, seed {seed}")
    many = sampling.rows_of_file(answerer, file, most, data, is_distinct=True)
    if not len(many):
        raise InputError(f"A file to measure on must have texts. Received: {file}, which has none.")
    return Rows(loaded.task.name, many, singles, f"texts of {Path(file).name}")


def _require_lengths(lengths: list[int], longest: int) -> None:
    for length in lengths:
        if not 4 <= length <= longest:
            raise InputError(
                f"--lengths are of texts in tokens, from 4 to what the model has places for, {longest}. Received: "
                f"{length}."
            )


def _drawn(answerer: Pipeline, head: str, lengths: list[int], seed: int) -> Features:
    """Rows of random ids between [CLS] and [SEP]; for a head that reads pairs, or choices, the second half is one."""
    rng, tokenizer = np.random.default_rng(seed), answerer.tokenizer
    special = set(tokenizer.all_special_ids)
    plain = np.array([piece for piece in range(answerer.config.vocab_size) if piece not in special])
    ids = [
        [tokenizer.cls_token_id, *rng.choice(plain, length - 2).tolist(), tokenizer.sep_token_id] for length in lengths
    ]
    is_pair = head.startswith("ForQuestionAnswering") or head == "ForMultipleChoice"
    types = [[0] * (len(row) // 2) + [1] * (len(row) - len(row) // 2) if is_pair else [0] * len(row) for row in ids]
    if head == "ForMultipleChoice":
        return Features([[row, row[:1] + row[:0:-1]] for row in ids], [[one, one] for one in types])
    return sample_rows.masked(tokenizer, ids, types) if head == "ForMaskedLM" else Features(ids, types)


def _tokens(row: Json) -> int:
    return len(row) if not row or isinstance(row[0], int) else sum(map(len, row))


def as_record(features: Features) -> Record:
    """What a model is given of features, as JSON."""
    return {"ids": features.input_ids, "types": features.token_type_ids, "positions": features.positions}
