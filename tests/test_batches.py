"""Typed batches: padding, cutting, counting, and rows without their padding."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.arrays import bucket
from albertkit.batches import PaddedBatch, PretrainingBatch, pretraining_sizes, split_rows, trim
from frameworks.rows import packed, sequences

ROWS = st.lists(st.lists(st.integers(-5, 30000), max_size=9), max_size=9)


@given(ROWS.filter(len), st.integers(0, 9))
def test_the_mask_marks_what_is_not_padding(rows, pad_id):
    types = [[1] * len(row) for row in rows]
    batch = PaddedBatch.of_rows(rows, types, pad_id)
    mask = batch.arguments().get("attention_mask", np.ones_like(batch.input_ids))
    assert mask.dtype == np.int64
    assert mask.shape == batch.input_ids.shape == batch.token_type_ids.shape
    assert [ids[seen].tolist() for ids, seen in zip(batch.input_ids, mask == 1, strict=True)] == rows
    assert (batch.input_ids[mask == 0] == pad_id).all()
    assert (batch.token_type_ids == mask).all()
    assert set(np.unique(mask)) <= {0, 1}


def test_no_mask_where_nothing_is_padded():
    assert PaddedBatch.of_rows([[2, 7, 3], [2, 9, 3]], [[0] * 3] * 2, 0).attention_mask is None
    assert PaddedBatch.of_rows([[2, 7, 3], [2, 3]], [[0] * 3, [0] * 2], 0).attention_mask is not None


def test_a_pad_id_inside_a_text_is_not_masked():
    batch = PaddedBatch.of_rows([[2, 0, 3], [2, 3]], [[0] * 3, [0] * 2], 0)
    assert batch.attention_mask.tolist() == [[1, 1, 1], [1, 1, 0]]


def test_no_rows_make_an_empty_batch():
    assert PaddedBatch.of_rows([], [], 0).input_ids.shape == (0, 0)


def token_batch(length, **more):
    ids = np.arange(1, 2 * length + 1).reshape(2, length)
    return PaddedBatch(**{"input_ids": ids, "token_type_ids": np.ones_like(ids), "labels": ids % 3, **more})


@given(st.integers(1, 140), st.integers(1, 140), st.integers(0, 9))
def test_lengthening_rounds_up_and_masks_what_it_adds(length, longest, pad_id):
    batch = token_batch(length)
    longer = batch.pad(longest, pad_id)
    size = longer.input_ids.shape[1]
    assert size == max(length, min(bucket(length), longest))
    for name, filling in (("input_ids", pad_id), ("token_type_ids", 0), ("labels", -100)):
        assert getattr(longer, name).dtype == getattr(batch, name).dtype
        np.testing.assert_array_equal(getattr(longer, name)[:, :length], getattr(batch, name))
        assert (getattr(longer, name)[:, length:] == filling).all()
    np.testing.assert_array_equal(longer.attention_mask, np.tile(np.arange(size) < length, (2, 1)))
    assert batch.attention_mask is None
    assert batch.input_ids.shape == (2, length)


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 5), (2, 1, 5, 5), (2, 3, 5, 5), (2, 1, 1, 5)])
def test_lengthening_keeps_a_mask_of_any_rank(shape):
    mask = np.random.default_rng(0).integers(0, 2, shape)
    longer = token_batch(5, attention_mask=mask).pad(16).attention_mask
    rows = 8 if len(shape) > 2 and shape[-2] == 5 else shape[-2]
    assert longer.shape == (*shape[:-2], rows, 8)
    np.testing.assert_array_equal(longer[..., : shape[-2], :5], mask)
    assert longer.sum() == mask.sum()


def test_lengthening_takes_choices_positions_and_leaves_what_does_not_stand_a_token():
    ids = np.ones((2, 5, 5), np.int64)
    longer = PaddedBatch(ids, attention_mask=ids, labels=np.array([0, 4])).pad(16)
    assert longer.input_ids.shape == longer.attention_mask.shape == (2, 5, 8)
    assert longer.attention_mask.sum() == ids.sum()
    assert longer.labels.tolist() == [0, 4]
    numbers = np.ones((2, 5), np.float32)
    longer = token_batch(5, labels=numbers, position_ids=np.arange(5), start_positions=ids[0, 0]).pad(16)
    assert longer.labels is numbers
    assert longer.position_ids.tolist() == [0, 1, 2, 3, 4, 0, 0, 0]
    assert longer.start_positions.shape == (5,)


def test_shortening_cuts_what_stands_a_token_and_nothing_else():
    outputs = {name: np.zeros(shape) for name, shape in (("loss", ()), ("logits", (2, 8, 3)), ("start_logits", (2, 8)))}
    outputs |= {"end_logits": np.zeros((2, 8)), "sop_logits": np.zeros((2, 8))}
    found = {name: array.shape for name, array in trim(outputs, 5).items()}
    assert found == {
        "loss": (),
        "logits": (2, 5, 3),
        "start_logits": (2, 5),
        "end_logits": (2, 5),
        "sop_logits": (2, 8),
    }


@given(st.integers(0, 2**31), st.integers(1, 5), st.integers(4, 20))
def test_unpadded_rows_keep_every_token_its_place_and_its_sequence(seed, rows, length):
    rng = np.random.default_rng(seed)
    sequence = np.zeros((rows, length), np.int32)
    for row in sequence:
        ends = np.sort(rng.integers(1, length + 1, 3))
        for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            row[start:end] = number + 1
        row[:] = np.unique(row, return_inverse=True)[1] + (row.min() > 0)
    ids = np.where(sequence > 0, np.arange(rows * length).reshape(rows, length) + 100, 0)
    first = np.diff(np.pad(sequence, ((0, 0), (1, 0))), axis=1) > 0
    filled = np.flatnonzero(sequence)
    batch = PretrainingBatch(
        ids,
        np.zeros_like(ids),
        np.zeros_like(ids),
        sequence,
        mlm_positions=rng.choice(filled, min(3, len(filled)), replace=False),
        mlm_labels=np.arange(3),
        cls_positions=np.flatnonzero(first),
        sop_labels=np.zeros(first.sum()),
    )
    flat, groups = batch.unpad()
    assert flat.input_ids.shape == (1, len(filled)) == (1, sum(count * size for count, size in groups))
    for name in ("mlm_positions", "cls_positions"):
        np.testing.assert_array_equal(flat.input_ids[0, getattr(flat, name)], ids.ravel()[getattr(batch, name)])
    runs = np.split(flat.input_ids[0], np.cumsum([size for count, size in groups for _ in range(count)])[:-1])
    wanted = [ids[row][sequence[row] == n] for row in range(rows) for n in range(1, sequence[row].max() + 1)]
    assert sorted(map(tuple, runs)) == sorted(map(tuple, wanted))
    assert [size for _, size in groups] == sorted({len(run) for run in runs}, reverse=True)
    assert batch.tokens == len(filled)


def test_losses_count_rows_tokens_or_what_is_predicted():
    ids = np.zeros((3, 4), np.int64)
    assert PaddedBatch(ids, labels=np.array([0, 1, 1])).items() == {"loss": 3}
    assert PaddedBatch(ids, labels=np.zeros((3, 4), np.float32)).items() == {"loss": 3}
    labels = np.full((3, 4), -100)
    labels[0, :2] = 5
    assert PaddedBatch(ids, labels=labels).items() == {"loss": 2}
    nothing = np.zeros(0, np.int32)
    batch = PretrainingBatch(ids, ids, ids, ids, nothing, np.array([7, 8, -100]), nothing, np.array([-100, 1]))
    assert batch.items() == {"mlm": 2, "sop": 1}
    assert replace(batch, sop_labels=None).items() == {"mlm": 2}
    assert PaddedBatch(ids, attention_mask=np.eye(3, 4)).tokens == 3
    assert PaddedBatch(ids).tokens == 12


def packed_rows(seed, rows):
    rng = np.random.default_rng(seed)
    return packed([sequences(rng, int(rng.integers(1, 3))) for _ in range(rows)])


@given(st.integers(0, 2**16), st.integers(1, 6), st.integers(1, 4))
def test_cut_rows_are_a_batch_of_their_own(seed, rows, cuts):
    batch = packed_rows(seed, rows)
    bounds = np.linspace(0, rows, cuts + 1).astype(int)
    parts = [batch.rows(*pair) for pair in itertools.pairwise(bounds)]
    for name, array in batch.arrays().items():
        moved = bounds[:-1] * 16 if name.endswith("_positions") else [0] * cuts
        joined = np.concatenate([getattr(part, name) + move for part, move in zip(parts, moved, strict=True)])
        np.testing.assert_array_equal(joined, array, err_msg=name)
    for part in parts:
        assert part.input_ids.ravel()[part.cls_positions].tolist() == [2] * len(part.cls_positions)


@given(st.integers(0, 2**16), st.integers(1, 4), st.integers(0, 3), st.integers(0, 40))
def test_filling_adds_only_what_no_loss_counts(seed, rows, more, items):
    batch = packed_rows(seed, rows)
    masked, ordered = len(batch.mlm_labels) + items, len(batch.sop_labels) + items
    found = batch.pad(rows + more, masked, ordered, pad_id=5)
    assert found.items() == batch.items()
    assert found.tokens == batch.tokens
    for name, array in batch.arrays().items():
        np.testing.assert_array_equal(getattr(found, name)[: len(array)], array, err_msg=name)
    assert found.input_ids.shape == (rows + more, 16)
    assert (found.input_ids[rows:] == 5).all()
    assert found.mlm_positions.shape == found.mlm_labels.shape == (masked,)
    assert found.cls_positions.shape == found.sop_labels.shape == (ordered,)


@given(st.integers(1, 64), st.integers(16, 512), st.integers(0, 10_000), st.integers(0, 1000))
def test_sizes_are_enough_and_not_much_more(rows, length, masked, ordered):
    size, ends = pretraining_sizes(rows, length, masked, ordered)
    step = max(rows * length // 32, 8)
    assert masked <= size <= masked + step
    assert size % step == 0
    assert ordered <= ends <= max(2 * ordered, 8 * rows)


def test_the_usual_batches_have_one_shape():
    rng = np.random.default_rng(0)
    for rows, length in ((8, 512), (64, 128), (256, 128)):
        usual = round(rows * length * 0.15)
        near = rng.integers(int(usual * 0.94), usual + 1, 100)
        starts = rng.integers(rows, 3 * rows, 100)
        assert len({pretraining_sizes(rows, length, *pair) for pair in zip(near, starts, strict=True)}) == 1


def test_rows_are_cut_to_their_own_length_where_outputs_stand_a_token():
    outputs = {"logits": np.arange(24).reshape(2, 4, 3), "pooler_output": np.arange(4).reshape(2, 2)}
    first, second = split_rows(outputs, [2, 4], {"logits"})
    np.testing.assert_array_equal(first["logits"], outputs["logits"][0, :2])
    np.testing.assert_array_equal(second["logits"], outputs["logits"][1])
    assert second["pooler_output"].tolist() == [2, 3]


def smoothed_loss(batch, logits):
    """The mean loss by class targets, in float64."""
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -(logs * batch.class_targets).sum() / batch.items()["loss"]


TARGETS = {
    "texts": (PaddedBatch(np.ones((4, 5), np.int64), labels=np.array([0, 2, 1, 2])), 3),
    "tokens": (token_batch(6, labels=np.array([[-100, 0, 1, -100, 3, 3], [-100, 2, -100, 0, 0, -100]])), 4),
    "choices": (PaddedBatch(np.ones((2, 5, 7), np.int64), labels=np.array([4, 0])), 2),  # whatever the config says
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", TARGETS)
def test_class_targets_have_the_loss_of_torch_with_label_smoothing_and_weights(kind, weighted):
    torch = pytest.importorskip("torch")
    batch, classes = TARGETS[kind]
    count = 5 if kind == "choices" else classes
    rng = np.random.default_rng(3)
    weights = rng.uniform(0.2, 5, count) if weighted else None
    logits = rng.normal(size=(*batch.labels.shape, count)) * 3
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits).reshape(-1, count),
        torch.from_numpy(batch.labels).reshape(-1),
        None if weights is None else torch.from_numpy(weights),
        label_smoothing=0.1,
    )
    targeted = batch.with_class_targets(classes, 0.1, weights)
    assert targeted.class_targets.dtype == targeted.label_weights.dtype == np.float32
    assert smoothed_loss(targeted, logits) == pytest.approx(float(expected), abs=1e-6, rel=1e-6)
    dealt = [targeted.every(number, 2) for number in range(2)]
    parts = [smoothed_loss(one, logits[number::2]) * one.items()["loss"] for number, one in enumerate(dealt)]
    assert sum(parts) / targeted.items()["loss"] == pytest.approx(float(expected), rel=1e-6)


def test_class_targets_stand_in_the_place_of_labels_in_training_alone():
    batch, classes = TARGETS["tokens"]
    targeted = batch.with_class_targets(classes, 0.1)
    assert targeted.arguments().keys() == batch.arguments().keys()
    assert targeted.arguments(for_training=True).keys() == {*batch.arguments(), "class_targets"} - {"labels"}
    assert batch.arguments(for_training=True).keys() == batch.arguments().keys()
    longer = targeted.pad(64)
    assert longer.class_targets.shape == (*longer.input_ids.shape, classes)
    assert longer.items() == targeted.items()
    np.testing.assert_array_equal(longer.class_targets[:, :6], targeted.class_targets)
    assert not longer.class_targets[:, 6:].any()
