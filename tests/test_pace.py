"""Times in words, and what is done every so often."""

import math

import pytest

from albertkit.pace import Every, TimeLeft, in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((0, "0 s"), (0.4, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (3661, "1 h 1 min")),
        *(
            (86_400, "1 day"),
            (2 * 86_400 + 7200, "2 days 2 h"),
            (86_400 + 59, "1 day"),
            (400 * 86_400, "1 year 35 days"),
        ),
        *(
            (1e12, "more than a hundred years"),
            (math.inf, "more than a hundred years"),
            (math.nan, "more than a hundred years"),
        ),
    ],
)
def test_a_time_is_said_in_two_units_at_most(seconds, words):
    assert in_words(seconds) == words


def test_it_is_time_every_so_many_seconds_since_it_last_was():
    now = [0.0]
    is_time = Every(30, lambda: now[0])
    found = []
    for now[0] in (10, 30, 40, 59, 60, 200, 201):
        found.append(is_time())
    assert found == [False, True, False, False, True, True, False]
    is_time.restart()
    now[0] += 29
    assert not is_time()


def test_time_left_goes_by_the_speed_since_the_first_call():
    now = [100.0]
    left = TimeLeft(lambda: now[0])
    assert left(50, 100) == ""
    now[0] += 20
    assert left(60, 100) == "1 min 20 s left"
    now[0] += 60
    assert left(100, 100) == "0 s left"
