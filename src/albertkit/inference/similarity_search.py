"""The texts of a stream that are nearest to queries, by their vectors: a block at a time, none of which is kept.

Letters: Q queries, K answers to each, H hidden size, B vectors of a block.
"""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from albertkit.errors import InputError
from albertkit.inference.vector_files import COLUMN, FORMATS
from albertkit.tasks.sentence_embedding.vectors import Nearest
from albertkit.typing import Record

BLOCK = 1024
"""B: vectors that are compared at a time."""
OWN = ("query", "score", "row")
"""What an answer has beside its record, in whose columns of these names another one stands."""


def search(queries: np.ndarray, records: Iterable[Record], count: int) -> list[list[Record]]:
    """The `count` records nearest to each of the queries (Q, H), each with its `score`, the cosine, nearest first.

    A record has its vector under `embedding`, which is taken out, and gets its number from 1 as `row`. What it has
    itself under one of the names in `OWN` comes back as input_score and so on. No more than Q * K + B records are held
    at a time.
    """
    nearest, kept, seen = Nearest(queries, count), {}, 0
    stream = iter(records)
    while block := list(itertools.islice(stream, BLOCK)):
        nearest.add(np.array([record[COLUMN] for record in block], np.float32))
        kept |= {seen + number: record for number, record in enumerate(block)}
        seen += len(block)
        wanted = set(nearest.numbers.ravel().tolist())
        kept = {number: record for number, record in kept.items() if number in wanted}
    return [
        [_answer(kept[number], number, cosine) for number, cosine in zip(numbers, cosines, strict=True)]
        for numbers, cosines in zip(nearest.numbers.tolist(), nearest.cosines.tolist(), strict=True)
    ]


def _answer(record: Record, number: int, cosine: float) -> Record:
    kept = {f"input_{name}" if name in OWN else name: value for name, value in record.items() if name != COLUMN}
    return {"score": cosine, "row": number + 1, **kept}


def holds_vectors(path: str) -> bool:
    """Whether a file is named as those of vectors are, and no file of texts."""
    return path.endswith(FORMATS)


def kept_vectors(path: str, size: int) -> Iterator[Record]:
    """The rows of a .npy or .npz file of vectors of `size` as records. InputError where it is none."""
    try:
        vectors = np.load(Path(path), mmap_mode="r", allow_pickle=False)
        if not isinstance(vectors, np.ndarray):
            vectors = vectors[COLUMN]
    except (OSError, ValueError, EOFError, KeyError, BadZipFile):  # whose words advise to load what may run code
        raise InputError(
            f"A file of vectors must be a complete .npy or .npz of numbers. {path} is none, or a part of one. Make it "
            "with `albertkit embed`."
        ) from None
    if vectors.ndim != 2 or vectors.shape[1] != size or vectors.dtype.kind != "f":
        raise InputError(
            f"Vectors to search must be those of the model, (N, {size}) of fractions. {path} holds {vectors.dtype} of "
            f"shape {vectors.shape}. Make it with `albertkit embed` and the same model."
        )
    return ({COLUMN: row} for row in vectors)
