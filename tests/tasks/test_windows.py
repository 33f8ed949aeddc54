"""Windows over long texts."""

import pytest

from albertkit.errors import InputError
from albertkit.tasks.windows import best_windows, windows


def test_windows_cover_a_text_and_share_tokens():
    assert windows(10, 4, 1) == [range(4), range(3, 7), range(6, 10)]
    assert windows(11, 4, 1) == [range(4), range(3, 7), range(6, 10), range(9, 11)]
    assert windows(4, 4, 1) == [range(4)]
    assert windows(0, 4, 1) == [range(0)]
    assert windows(9, 4, 0) == [range(4), range(4, 8), range(8, 9)]


@pytest.mark.parametrize("shared", [-1, 4, 9])
def test_windows_without_room_for_new_tokens_are_refused(shared):
    with pytest.raises(InputError, match=rf"fewer tokens than one holds, 4\. Received: {shared}"):
        windows(10, 4, shared)


def test_a_token_is_taken_from_the_window_that_sees_most_around_it():
    found = windows(10, 6, 4)
    assert found == [range(6), range(2, 8), range(4, 10)]
    # Of the first window the left side is the start of the text, of the last the right side its end.
    assert best_windows(found, 10).tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert best_windows([range(3)], 3).tolist() == [0, 0, 0]
    assert best_windows([range(0)], 0).tolist() == []
