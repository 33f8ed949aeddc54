"""What a person sees where there is no terminal: a line every half minute, with the time left."""

import io

from rich.console import Console

from albertkit.corpus.build_progress import BuildProgress
from albertkit.pace import SECONDS


def lines(*calls, seconds=SECONDS):
    """The lines that are printed where so many seconds pass between two updates."""
    out, now = io.StringIO(), [0.0]
    with BuildProgress(Console(file=out, width=40), lambda: now[0]) as bar:
        for call in calls:
            bar.update(*call)
            now[0] += seconds
        bar.print("a note that is longer than the console is wide, in one line")
    return out.getvalue().splitlines()


def test_a_line_every_half_minute_and_one_at_the_end():
    calls = [(1000, done, done * 5000, done * 1000) for done in range(0, 1001, 10)]
    assert len(lines(*calls, seconds=SECONDS)) == 101
    seen = lines(*calls, seconds=SECONDS / 10)
    assert len(seen) == 11
    assert seen[0] == "10% · 0 MB of text · 100,000 tokens · 0.0 MB/s · 4 min 30 s left"
    assert seen[-2].startswith("100%")
    assert seen[-1].startswith("a note that is longer")


def test_speed_and_time_left_are_those_of_this_run():
    (line, _) = lines((1000, 500, 80_000_000, 7), (1000, 600, 140_000_000, 9))
    assert line == "60% · 140 MB of text · 9 tokens · 2.0 MB/s · 2 min left"


def test_a_short_build_says_nothing_but_its_end():
    assert [line[:4] for line in lines((10, 0, 0, 0), (10, 5, 5, 5), (10, 10, 10, 9), seconds=1)] == ["100%", "a no"]


def test_inputs_of_no_bytes_divide_nothing():
    assert lines((0, 0, 0, 0), (0, 0, 0, 0), seconds=1)[0].startswith("a note")
