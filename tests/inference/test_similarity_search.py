"""Vectors of a file to search."""

import numpy as np
import pytest

from albertkit.errors import InputError
from albertkit.inference import similarity_search


def test_vectors_of_a_file_come_row_by_row(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(2, 3, dtype=np.float32))
    found = [
        row[similarity_search.COLUMN].tolist() for row in similarity_search.kept_vectors(str(tmp_path / "a.npy"), 3)
    ]
    assert found == [[1, 0, 0], [0, 1, 0]]


def test_columns_of_a_file_do_not_take_the_place_of_cosine_and_number():
    rows = [
        {"text": "far", "score": 5.0, "row": "b", "embedding": [0.0, 1.0]},
        {"text": "near", "score": 0.0, "query": "its own", "embedding": [1.0, 0.0]},
    ]
    (found,) = similarity_search.search(np.array([[3.0, 0.0]]), rows, 2)
    assert found == [
        {"score": 1.0, "row": 2, "text": "near", "input_score": 0.0, "input_query": "its own"},
        {"score": 0.0, "row": 1, "text": "far", "input_score": 5.0, "input_row": "b"},
    ]


@pytest.mark.parametrize("array", [np.eye(2, 4), np.ones(3), np.eye(3, dtype=int)])
def test_other_arrays_are_refused_with_their_shape(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=r"\(N, 3\) of fractions.*holds \w+ of shape"):
        similarity_search.kept_vectors(str(tmp_path / "a.npy"), 3)


def test_a_file_cut_short_is_refused_in_words_of_our_own(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(3))
    for size in (0, 5, 100, 190):
        (tmp_path / "b.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:size])
        with pytest.raises(InputError, match=r"complete \.npy or \.npz of numbers.*albertkit embed") as caught:
            similarity_search.kept_vectors(str(tmp_path / "b.npy"), 3)
        assert "pickle" not in str(caught.value)


def test_the_vectors_of_an_npz_are_searched_by_any_name(tmp_path):
    vectors = np.eye(2, 3)
    np.savez(tmp_path / "a.npz", embedding=vectors)
    (tmp_path / "b.npy").write_bytes((tmp_path / "a.npz").read_bytes())
    for name in ("a.npz", "b.npy"):
        assert similarity_search.holds_vectors(name)
        found = similarity_search.kept_vectors(str(tmp_path / name), 3)
        np.testing.assert_array_equal([row[similarity_search.COLUMN] for row in found], vectors)


def test_an_npz_without_vectors_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", others=np.eye(3))
    with pytest.raises(InputError, match=r"complete \.npy or \.npz of numbers.*albertkit embed"):
        similarity_search.kept_vectors(str(tmp_path / "a.npz"), 3)
