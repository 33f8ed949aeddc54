"""Learning in a process of its own: the same vocabulary, and an end at Ctrl-C."""

import subprocess

import pytest

from albertkit.errors import InputError, TrainingError
from albertkit.tokenization import learning_process, train
from albertkit.tokenization.learning import learn
from albertkit.tokenization.learning_process import learn_apart


@pytest.fixture(scope="module")
def lines(data):
    return [*(data / "text.txt").read_text(encoding="utf-8").splitlines(), "a line\u2028with a separator"] * 20


def test_a_long_text_teaches_what_it_teaches_in_this_process(lines, tmp_path, monkeypatch):
    told = []
    usual = train.train(lines, 120, tmp_path / "usual", note=told.append)
    assert told == []
    monkeypatch.setattr(train, "LONG", 100)
    apart = train.train(lines, 120, tmp_path / "apart", note=told.append)
    assert apart.get_vocab() == usual.get_vocab()
    assert told == [f"Learning from {len(lines):,} lines."]


def test_what_the_texts_cannot_give_is_said_as_in_this_process(lines):
    given = {"vocab_size": 100_000, "exact": True}
    with pytest.raises(InputError) as usual:
        learn(lines, **given)
    with pytest.raises(InputError) as apart:
        learn_apart(lines, lambda told: None, **given)
    assert str(apart.value) == str(usual.value)


def test_an_interruption_ends_the_process_at_once(lines, monkeypatch):
    started, start = [], subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *given, **options: started.append(start(*given, **options)) or started[0]
    )

    def stop(told):
        if told.startswith("Still learning, for"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn_apart(lines, stop, every=0.01, vocab_size=120)
    assert started[0].returncode < 0


def test_a_process_that_dies_is_an_error_with_a_way_out(lines, monkeypatch):
    monkeypatch.setattr(learning_process, "__name__", "no_such_module")
    with pytest.raises(TrainingError, match=r"status 1 and said last: .*no_such_module.*--sentences"):
        learn_apart(lines, lambda told: None, vocab_size=120)
