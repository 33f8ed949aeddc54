"""What may be passed to a pipeline: texts and pairs in every form that has one meaning, and no other."""

import numpy as np
import pytest

from albertkit.errors import InputError
from albertkit.tasks import inputs


class Frame:
    """A table as pandas and polars have it: going over it gives the names of its columns."""

    columns = ("text",)

    def __iter__(self):
        return iter(self.columns)


class Series(list):
    """A column as pandas has it."""

    ndim = 1

    def tolist(self):
        return list(self)


class Numbered:
    """A data set of PyTorch: it has a length and rows by number."""

    def __len__(self):
        return 2

    def __getitem__(self, number):
        return ["a", "b"][number]


@pytest.mark.parametrize(
    ("given", "firsts", "seconds"),
    [
        ("a", ["a"], None),
        (np.str_("a"), ["a"], None),
        ({"text": "a"}, ["a"], None),
        ({"text": "a", "text_pair": None}, ["a"], None),
        ({"text": "a", "text_pair": "b"}, ["a"], ["b"]),
        ([], [], None),
        (["a", "b"], ["a", "b"], None),
        ([{"text": "a", "text_pair": "b"}, {"text": "c"}, "d"], ["a", "c", "d"], ["b", None, None]),
        ([("a", "b"), ["c", "d"]], ["a", "c"], ["b", "d"]),
        ([[["a", "b"]]], ["a"], ["b"]),
        (np.array(["a", "b"]), ["a", "b"], None),
        (np.array(["a", "b"], object), ["a", "b"], None),
        (Series(["a", "b"]), ["a", "b"], None),
    ],
)
def test_texts_and_pairs_in_all_their_forms(given, firsts, seconds):
    assert inputs.pairs(given) == (firsts, seconds)
    assert all(type(text) is str for text in inputs.pairs(given)[0])


@pytest.mark.parametrize(
    ("texts", "others", "seconds"), [("a", "b", ["b"]), (["a", "b"], ["c", "d"], ["c", "d"]), (["a"], ["c"], ["c"])]
)
def test_second_texts_may_stand_beside_the_first(texts, others, seconds):
    assert inputs.pairs(texts, others)[1] == seconds


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "Received: None, a NoneType"),
        (5, "Received: 5, a int"),
        (b"a", "Received: b'a', a bytes"),
        (("a", "b"), "Received: .*a tuple. A tuple could be a pair or several texts"),
        ({"a", "b"}, "a set"),
        (Frame(), "Pass one of its columns"),
        (np.array("a"), "a ndarray"),
        (np.array([["a", "b"]]), "a ndarray"),
        (["a", None], "Received: text 2 of 2, None"),
        (["a", float("nan"), "b"], "Received: text 2 of 3, nan, a float"),
        (["a", b"b"], "Received: text 2 of 2, b'b', a bytes. Decode it first"),
        ([["a", "b", "c"]], "a list"),
        ([["a"]], "a list"),
        ([("a", 1)], "Received: 1, a int"),
        ({"text": ["a", "b"]}, r"Received: \['a', 'b'\], a list"),
        ({"text": "a", "text_pair": 3}, "Received: 3, a int"),
        ({"txt": "a"}, "Received: the keys 'txt'. Did you mean `text`"),
        ({"text": "a", "label": 1}, "keys text and text_pair, and no others. Received: the keys 'text', 'label'"),
        ({}, "Received: the keys none"),
        ([{"text_pair": "b"}, "a"], "Received: text 1 of 2, the keys 'text_pair'"),
    ],
)
def test_anything_else_is_refused_in_words(given, told):
    with pytest.raises(InputError, match=told):
        inputs.pairs(given)


@pytest.mark.parametrize(
    ("texts", "others", "told"),
    [
        (["a", "b"], "c", "goes with a list of pairs"),
        (["a", "b"], ["c"], "2 texts and 1 pairs"),
        ("a", ["b"], r"second text 1, \['b'\], a list"),
        ("a", 3, "second text 1, 3"),
        (["a"], [None], "second text 1, None"),
        ({"text": "a", "text_pair": "b"}, "c", "A second text is given once"),
    ],
)
def test_second_texts_that_do_not_fit_are_refused(texts, others, told):
    with pytest.raises(InputError, match=told):
        inputs.pairs(texts, others)


def test_what_gives_one_input_after_the_other_is_a_stream():
    for given in (iter(["a", "b"]), (text for text in "ab"), Numbered(), {"a": 1, "b": 2}.keys()):
        assert list(inputs.stream(given)) == ["a", "b"]
    for given in ("a", b"a", ["a"], ("a", "b"), {"text": "a"}, {"a"}, np.array(["a"]), Series("a"), Frame(), 5, None):
        assert inputs.stream(given) is None


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3", None, [1], float("nan")])
def test_a_count_is_a_whole_number_of_at_least_one(value):
    with pytest.raises(InputError, match=r"`top_k` must be a whole number of at least 1. Received: "):
        inputs.require_count("top_k", value)
    inputs.require_count("top_k", np.int64(3))
