"""What a run keeps of the machine and the command that it came from."""

import sys

import pytest

from albertkit.training import model_card


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["bin/albertkit", "pretrain", "a.toml"], "albertkit pretrain a.toml"),
        (["lib/albertkit/__main__.py", "pretrain", "a.toml"], "albertkit pretrain a.toml"),
        (["mine/__main__.py", "--fast"], "__main__.py --fast"),
        (["experiments/run.py"], "run.py"),
        ([""], ""),
    ],
)
def test_a_command_is_told_as_it_would_be_typed(monkeypatch, argv, command):
    monkeypatch.setattr(sys, "argv", argv)
    assert model_card.environment()["command"] == command
