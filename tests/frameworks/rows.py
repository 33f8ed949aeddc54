"""Batches of pre-training that the tests of all frameworks share: rows of several sequences. NumPy only."""

import numpy as np

from albertkit.batches import PretrainingBatch

VOCABULARY = 61


def sequences(rng, count, longest=7, ordered=True):
    """Sequences as they are before they are packed: ids, types, what is masked where, and the order of the texts."""
    made = []
    for _ in range(count):
        length = int(rng.integers(4, longest + 1))
        ids = rng.integers(5, VOCABULARY, length).astype(np.int32)
        ids[0] = 2
        places = np.sort(rng.choice(np.arange(1, length), int(rng.integers(1, 3)), replace=False))
        labels = ids[places].copy()
        ids[places] = 4
        types = (np.arange(length) >= rng.integers(2, length)).astype(np.int32)
        made.append((ids, types, places, labels, int(rng.integers(0, 2)) if ordered else -100))
    return made


def packed(rows, length=16):
    """Rows of sequences as a batch."""
    shape = len(rows), length
    batch = {name: np.zeros(shape, np.int32) for name in ("input_ids", "token_type_ids", "position_ids", "sequence")}
    lists = {name: [] for name in ("mlm_positions", "mlm_labels", "cls_positions", "sop_labels")}
    for index, row in enumerate(rows):
        at = 0
        for number, (ids, types, places, labels, order) in enumerate(row, start=1):
            here = slice(at, at + len(ids))
            batch["input_ids"][index, here] = ids
            batch["token_type_ids"][index, here] = types
            batch["position_ids"][index, here] = np.arange(len(ids))
            batch["sequence"][index, here] = number
            lists["mlm_positions"] += (index * length + at + places).tolist()
            lists["mlm_labels"] += labels.tolist()
            lists["cls_positions"].append(index * length + at)
            lists["sop_labels"].append(order)
            at += len(ids)
    return PretrainingBatch(**batch, **{name: np.array(values, np.int32) for name, values in lists.items()})


def steps(count=6, rows=6, parts=1, ordered=True, seed=0):
    """The batches of some steps, each in parts of unequal size: the same rows however many parts."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        made = [sequences(rng, int(rng.integers(1, 3)), ordered=ordered) for _ in range(rows)]
        cuts = [made] if parts == 1 else [made[:2], made[2:]]
        yield [packed(cut) for cut in cuts]
