import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from albertkit.errors import InputError
from albertkit.tokenization.truncation import Truncation, build_encodings
from tokenization.common import SPECIAL, tokens


def windows(first, second=None, special=SPECIAL, **settings):
    seconds = None if second is None else tokens(second, 500)
    return list(build_encodings(tokens(first), seconds, special, Truncation(**settings)))


def cut_one_by_one(first, second, budget):
    """How many tokens stay when the longer text loses its last one, and of equals the second, until both fit."""
    while first + second > budget:
        first, second = (first - 1, second) if first > second else (first, second - 1)
    return first, second


counts = st.integers(0, 30)
specials = st.sampled_from([None, SPECIAL])
sides = st.sampled_from(["right", "left"])


def assert_steps(pieces, whole, size, stride, side):
    """Successive windows, none longer than `size`, cover `whole` and share `stride` tokens, but at its very end."""
    pieces = [list(ids) for ids, _ in itertools.groupby(pieces)]
    if side == "left":
        pieces, whole = [ids[::-1] for ids in pieces], whole[::-1]
    assert pieces[0] == whole[:size]
    covered = len(pieces[0])
    for number, ids in enumerate(pieces[1:], start=1):
        start = number * (size - stride)
        assert ids == whole[start : start + size]
        assert start + stride == covered
        covered = start + len(ids)
    assert covered == len(whole)


@given(
    counts, st.integers(3, 20), st.integers(0, 17), sides, specials, st.sampled_from(["longest_first", "only_first"])
)
def test_windows_of_a_text_cover_it_and_overlap_by_the_stride(count, length, stride, side, special, strategy):
    room = length - (2 if special else 0)
    assume(stride < room)
    found = windows(count, special=special, strategy=strategy, max_length=length, stride=stride, side=side)
    assert all(len(window.ids) == len(window) <= length for window in found)
    assert_steps([window.first.ids for window in found], tokens(count).ids, room, stride, side)
    assert len(found) == 1 or len(found[0]) == length


@given(
    counts,
    counts,
    st.integers(5, 40),
    st.integers(0, 6),
    sides,
    specials,
    st.sampled_from(["longest_first", "only_first", "only_second"]),
    st.booleans(),
)
def test_windows_of_a_pair_hold_every_combination(first, second, length, stride, side, special, strategy, fair):
    options = {"strategy": strategy, "max_length": length, "stride": stride, "side": side, "fair": fair}
    try:
        found = windows(first, second, special=special, **options)
    except InputError:
        assume(False)
    assert all(len(window.ids) == len(window) <= length for window in found)
    firsts = list(dict.fromkeys(tuple(window.first.ids) for window in found))
    seconds = list(dict.fromkeys(tuple(window.second.ids) for window in found))
    combined = [(tuple(window.first.ids), tuple(window.second.ids)) for window in found]
    assert len(set(combined)) == len(combined) == len(firsts) * len(seconds)
    keep = len(firsts[0]), len(seconds[0])
    assume(min(keep) > 0)
    for parts, count, start, size in ((firsts, first, 100, keep[0]), (seconds, second, 500, keep[1])):
        parts = [list(part) for part in parts]
        assert_steps(parts, list(range(start, start + count)), size, stride if size < count else 0, side)
    if strategy == "only_first":
        assert seconds == [tuple(range(500, 500 + second))]
    if strategy == "only_second":
        assert firsts == [tuple(range(100, 100 + first))]


@given(counts, counts, st.integers(3, 40))
def test_longest_first_cuts_the_longer_text_one_token_at_a_time(first, second, length):
    [window, *_] = windows(first, second, strategy="longest_first", max_length=length)
    assert (len(window.first.ids), len(window.second.ids)) == cut_one_by_one(first, second, length - 3)


@given(counts, counts, st.integers(3, 40))
def test_the_other_way_of_sharing_differs_by_the_odd_token_only(first, second, length):
    [window, *_] = windows(first, second, strategy="longest_first", max_length=length, fair=False)
    keep = len(window.first.ids), len(window.second.ids)
    fair = cut_one_by_one(first, second, length - 3)
    assert sum(keep) == sum(fair)
    assert keep == fair or (keep == fair[::-1] and first <= second)


def test_the_order_of_the_windows_of_a_pair():
    found = windows(4, 4, strategy="longest_first", max_length=7)
    pairs = [(window.first.ids[0] - 100, window.second.ids[0] - 500) for window in found]
    assert pairs == [(0, 0), (2, 0), (2, 2), (0, 2)]


def test_what_fits_is_one_window():
    assert [window.ids for window in windows(3, strategy="only_first", max_length=5)] == [[2, 100, 101, 102, 3]]
    assert len(windows(3, 2, strategy="only_second", max_length=8, stride=99)) == 1


def test_a_text_may_be_cut_to_nothing_by_longest_first():
    assert [window.ids for window in windows(5, strategy="longest_first", max_length=2)] == [[2, 3]]
    assert windows(5, 5, strategy="longest_first", max_length=3)[0].ids == [2, 3, 3]


def test_an_empty_second_text_does_not_hinder_only_first():
    assert windows(5, 0, strategy="only_first", max_length=6)[0].ids == [2, 100, 101, 102, 3, 3]


@pytest.mark.parametrize(
    ("first", "second", "strategy", "length", "received"),
    [
        (9, None, "only_second", 6, "one text of 9 tokens and `max_length` 6, of which special tokens take 2"),
        (9, None, "only_first", 2, "one text of 9 tokens and `max_length` 2"),
        (9, None, "longest_first", 1, "one text of 9 tokens and `max_length` 1"),
        (9, 4, "only_second", 12, "texts of 9 and 4 tokens and `max_length` 12, of which special tokens take 3"),
        (9, 4, "only_first", 7, "texts of 9 and 4 tokens and `max_length` 7"),
        (9, 4, "longest_first", 2, "texts of 9 and 4 tokens and `max_length` 2"),
    ],
)
def test_a_strategy_that_cannot_reach_the_length_is_refused(first, second, strategy, length, received):
    with pytest.raises(
        InputError, match=rf"Truncation '{strategy}' must leave a token.*{received}.*Use a greater length"
    ):
        windows(first, second, strategy=strategy, max_length=length)


@pytest.mark.parametrize("stride", [-1, 3, 4])
def test_windows_must_advance_and_leave_no_gap(stride):
    with pytest.raises(InputError, match=rf"at least 0 and smaller.*Received: stride {stride} and room for 3"):
        windows(9, strategy="only_first", max_length=5, stride=stride)
