"""What the compiled library is given in training: the names of weights, and memory that is used again."""

import copy

import numpy as np
import pytest

from albertkit import weight_table
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.kernels import library, training


@pytest.mark.parametrize("changes", [{}, {"num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 2}])
def test_names_are_those_of_the_encoder(changes):
    config = AlbertConfig(**changes)
    expected = [name for name in weight_table.expected(config, "Model") if name.startswith("albert.encoder.")]
    assert sorted(f"albert.encoder.{name}" for name in training.names(config)) == sorted(expected)


def place(array):
    return array.ctypes.data


def test_memory_that_came_back_is_lent_again():
    memory = training.Memory()
    first = memory.lend(1000)
    where = place(first)
    part = first[10:20]
    del first
    second = memory.lend(1000)
    assert place(second) != where, "a part of it is still in use"
    del part
    assert place(memory.lend(800)) == where


def test_memory_that_is_too_small_goes():
    memory = training.Memory()
    memory.lend(1000)
    assert len(memory.lend(2000)) == 2000
    assert [len(one) for one in memory._free.values()] == [2000]


def test_no_more_pieces_are_kept_than_are_needed():
    memory = training.Memory()
    lent = [memory.lend(size) for size in (3000, 1000, 2000)]
    del lent
    assert sorted(len(one) for one in memory._free.values()) == [2000, 3000]


def test_a_piece_that_another_thread_took_meanwhile_is_not_lent_again(monkeypatch):
    memory = training.Memory()
    memory.lend(1000)
    seen = memory._by_size()
    first = memory.lend(1000)
    monkeypatch.setattr(memory, "_by_size", lambda: seen)  # as it was before the other took it
    assert place(memory.lend(1000)) != place(first)


def test_copies_of_a_memory_have_none():
    memory = training.Memory()
    memory.lend(1000)
    assert memory._free
    assert not copy.deepcopy(memory)._free


@pytest.mark.skipif(not library.can_train("fp32"), reason="has no compiled library")
@pytest.mark.parametrize("classes", [1, 15, 16, 37])
def test_cross_entropy_of_any_number_of_classes(classes):
    scores = np.random.default_rng(0).normal(size=(7, classes)).astype(np.float32)
    labels = np.arange(7) % classes
    exact = scores.astype(np.float64)
    shares = np.exp(exact) / np.exp(exact).sum(1, keepdims=True)
    losses = training.cross_entropy(scores, "fp32", labels, 2)
    np.testing.assert_allclose(losses, -np.log(shares[np.arange(7), labels]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scores, shares - np.eye(classes)[labels], atol=1e-6)


@pytest.mark.skipif(not library.can_train("fp32"), reason="has no compiled library")
@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2, 3], [[0], [1], [2]][:2], [0, 1, 5], [0, -1, 1]])
def test_labels_that_do_not_belong_to_the_scores_are_an_error(labels):
    scores = np.zeros((3, 5), np.float32)
    with pytest.raises(InputError, match=r"must lie in|must have the shape"):
        training.cross_entropy(scores, "fp32", np.array(labels), 1)
    assert not scores.any()


@pytest.mark.skipif(not library.can_train("fp32"), reason="has no compiled library")
def test_labels_of_any_integers():
    scores = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    scores[1] = scores[0]
    losses = [
        training.cross_entropy(one, "fp32", np.arange(6, dtype=kind)[::2] // 2, 1)
        for one, kind in zip(scores, (np.int32, np.int64), strict=True)
    ]
    np.testing.assert_array_equal(*losses)
