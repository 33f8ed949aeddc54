"""What a person sees where there is no terminal: a line for each twentieth, and none twice."""

import io
import time

from rich.console import Console

from albertkit.corpus.progress_bar import LINES, ProgressBar


def lines(*calls):
    out = io.StringIO()
    with ProgressBar(Console(file=out, width=40)) as bar:
        for call in calls:
            bar.update(*call)
        bar.print("a note that is longer than the console is wide, in one line")
    return out.getvalue().splitlines()


def test_a_line_for_each_twentieth():
    seen = lines(*((1000, done, done * 5000, done * 1000) for done in range(0, 1001, 7)))
    assert len(seen) == LINES
    assert seen[0].startswith("6% · 0 MB of text · 56,000 tokens · ")
    assert "MB/s" in seen[0]
    assert seen[0].endswith(" left")
    assert seen[-1].startswith("a note that is longer")


def test_what_an_earlier_run_did_is_not_told_again():
    assert lines((100, 50, 5, 5), (100, 51, 6, 6))[0].startswith("a note")
    assert lines((100, 50, 5, 5), (100, 55, 6, 6))[0].startswith("55%")


def test_speed_and_time_left_are_those_of_this_run(monkeypatch):
    clock = iter([100.0, 110.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    (line, _) = lines((1000, 500, 80_000_000, 7), (1000, 600, 100_000_000, 9))
    assert line == "60% · 100 MB of text · 9 tokens · 2.0 MB/s · 0:00:40 left"


def test_inputs_of_no_bytes_divide_nothing():
    assert lines((0, 0, 0, 0), (0, 0, 0, 0))[0].startswith("a note")
