"""An answer in parts is the JSON of the whole, and no part is much longer than it should be."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.serving import json_parts

WIDE = np.random.default_rng(0).standard_normal((300, 1500)).astype(np.float32)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
ANSWERS = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)


def whole(answer):
    return json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


@given(ANSWERS, st.integers(1, 8), st.integers(1, 20))
def test_parts_are_those_of_the_whole(answer, together, size):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(json_parts, "_TOGETHER", together)
        patched.setattr(json_parts, "SIZE", size)
        assert b"".join(json_parts.parts(answer)) == whole(answer)


@pytest.mark.parametrize(
    ("answer", "same"),
    [
        (WIDE, WIDE.tolist()),
        (WIDE[0], WIDE[0].tolist()),
        (WIDE[:0], []),
        ([], []),
        (iter(()), []),
        (np.float32(0.1), float(np.float32(0.1))),
        ([{"score": np.float32(0.5), "word": "é"}], [{"score": 0.5, "word": "é"}]),
        ({"data": ({"row": row, "vector": one} for row, one in enumerate(WIDE)), "n": 3},
         {"data": [{"row": row, "vector": one.tolist()} for row, one in enumerate(WIDE)], "n": 3}),
        ((iter([{"id": 1}] * 3) for _ in range(2)), [[{"id": 1}] * 3] * 2),
        ([[], [[1.5] * 5000] * 3, "a" * 10], [[], [[1.5] * 5000] * 3, "a" * 10]),
    ],
)  # fmt: skip
def test_arrays_and_iterators_are_lists(answer, same):
    assert b"".join(json_parts.parts(answer)) == whole(same)


def test_long_answers_come_in_parts_that_are_made_one_by_one():
    made = []

    def rows():
        for row in WIDE:
            made.append(len(made))
            yield {"vector": row}

    seen = []
    for part in json_parts.parts({"data": rows()}):
        assert len(part) < 2 * json_parts.SIZE
        seen.append(len(made))
    assert len(seen) > 20
    assert all(one < other for one, other in pairwise(seen[:-1]))


def test_what_one_call_writes_is_bounded_however_it_is_nested(monkeypatch):
    sizes = []
    encode = json_parts._encode
    monkeypatch.setattr(json_parts, "_encode", lambda value: sizes.append(str(value).count(",")) or encode(value))
    rows = WIDE.tolist()
    nested = [[rows[:40]], [rows[40:90]], [{"a": 1, "b": [2] * 30}] * 4000, {"c": [rows[90:]], "d": "e"}]
    assert b"".join(json_parts.parts(nested)) == whole(nested)
    assert max(sizes) < 2 * json_parts._TOGETHER
    assert len(sizes) > sum(sizes) / json_parts._TOGETHER


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        list(json_parts.parts(np.array([[1.0, np.nan]])))
