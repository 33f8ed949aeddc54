"""What is done with vectors."""

import numpy as np
import pytest

from albertkit.tasks.sentence_embedding import vectors
from albertkit.tasks.sentence_embedding.sentences import Sentences
from albertkit.tasks.sentence_embedding.vectors import Nearest


def test_vectors_get_length_1_and_zeros_stay_zeros():
    found = vectors.normalized(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0]], rtol=1e-6)


def test_examples_that_share_a_sentence_are_of_one_group_over_any_number_of_steps():
    rows = [["a", "b", "n"], ["c", "d", "n"], ["e", "f", "a"], ["b", "g", "n"], ["g", "h", "n"]]
    found = vectors.groups(rows)
    assert found[0] == found[3] == found[4]
    assert len({found[0], found[1], found[2]}) == 3, "a hard negative makes no group"


def test_scored_pairs_are_scored_by_the_rank_of_their_cosines():
    own = np.array([[[1, 0], [1, 0]], [[1, 0], [1, 1]], [[1, 0], [0, 1]]], np.float32)
    examples = Sentences("", [["a", "b"]] * 3, [1.0, 0.2, 0.1], [1, 2, 3])
    found = vectors.scores(own, examples)
    assert found["spearman"] == pytest.approx(1)
    assert found["pearson"] == pytest.approx(np.corrcoef([1, 0.5**0.5, 0], [1, 0.2, 0.1])[0, 1])


def test_pairs_without_scores_are_told_from_other_pairs_and_hard_negatives():
    right = np.array([[[1, 0], [1, 0.1]], [[0, 1], [0.1, 1]]], np.float32)
    pairs = Sentences("", [["a", "b"], ["c", "d"]], None, [1, 2])
    found = vectors.scores(right, pairs)
    assert found["accuracy"] == 1
    assert found["spearman"] > 0.89
    assert vectors.scores(right[:, ::1][[0, 1]][:, [0, 1]] * [[[1], [1]], [[1], [-1]]], pairs)["accuracy"] == 0.5
    hard = np.concatenate([right, np.array([[[1, 0]], [[0, -1]]], np.float32)], 1)
    triplets = Sentences("", [["a", "b", "x"], ["c", "d", "y"]], None, [1, 2])
    assert vectors.scores(hard, triplets)["accuracy"] == 0.5, "a negative that is nearer is an error"
    alike = Sentences("", [["a", "b"], ["a", "b"]], None, [1, 2])
    assert vectors.scores(right[[0, 0]], alike)["accuracy"] == 1, "the same pair again is no error"


def test_the_nearest_are_the_same_whether_vectors_come_at_once_or_in_blocks():
    rng = np.random.default_rng(0)
    queries, many = rng.standard_normal((3, 5)), rng.standard_normal((70, 5))
    many[9] = many[4]
    whole, parts = Nearest(queries, 6), Nearest(queries, 6)
    whole.add(many)
    for start in range(0, 70, 7):
        parts.add(many[start : start + 7])
    cosines = vectors.normalized(queries) @ vectors.normalized(many).T
    np.testing.assert_array_equal(whole.numbers, np.argsort(-cosines, 1, kind="stable")[:, :6])
    np.testing.assert_array_equal(whole.numbers, parts.numbers)
    np.testing.assert_array_equal(whole.cosines, parts.cosines)
    few = Nearest(queries, 6)
    few.add(many[:2])
    assert few.numbers.shape == (3, 2)


def test_a_cosine_is_at_most_1_whatever_rounding_gives():
    queries = np.random.default_rng(0).standard_normal((64, 48), np.float32)
    nearest = Nearest(queries, 1)
    nearest.add(queries)
    np.testing.assert_array_equal(nearest.numbers[:, 0], np.arange(64))
    assert nearest.cosines.max() <= 1
