"""The tutorials run as they are written, with a few rows in the place of the files that they download."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

from albertkit import backends, cli

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted(path for path in ROOT.glob("docs/tutorials/*.md") if path.name != "README.md")
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)

SENTENCES = ("She went home with Ada.", "Nobody in Turin had seen him.", "They left the old house at once.")
ASKED = [
    {"id": str(number), "question": "Where?", "answers": [{"text": "Turin", "answer_start": 16}]} for number in range(4)
]
SQUAD = {"data": [{"title": "Ada", "paragraphs": [{"context": "Ada was born in Turin.", "qas": ASKED}]}]}
DREAM = [
    [["W: Ada left."], [{"question": "Who?", "choice": ["Ada.", "Leon."], "answer": "Ada."}], str(number)]
    for number in range(4)
]
FILES = {
    "SST-2/train.tsv": "sentence\tlabel\n" + "a warm film\t1\na dull film\t0\n" * 4,
    "SST-2/dev.tsv": "sentence\tlabel\n" + "a dull plot\t0\na warm plot\t1\n",
    **dict.fromkeys(("train.conll", "dev.conll"), "Ada\tB-person\nleft\tO\nTurin\tB-location\n\t\n" * 4),
    **dict.fromkeys(("reddit.json", "wiki.json"), json.dumps(SQUAD)),
    **dict.fromkeys(("train.json", "dev.json"), json.dumps(DREAM)),
    **dict.fromkeys(("emma.txt", "persuasion.txt"), "\n".join(SENTENCES * 8)),
}

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs_from_its_first_line_to_its_last(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(backends, "installed", lambda: ["torch"])
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    for language, code in blocks:
        if language == "python":
            exec(compile(code, str(page), "exec"), {})  # the page is the project's own
            continue
        for line in code.splitlines():
            command(line, monkeypatch)
    assert {language for language, _ in blocks} == {"sh", "python"}
    assert capsys.readouterr().out


def command(line, monkeypatch):
    """Run a line: a command of albertkit in a few steps; what is downloaded is there, which is checked."""
    words = shlex.split(line)
    if words[0] == "curl":
        assert words[-1].startswith("https://")
        name = words[words.index("-o") + 1]
        assert name in FILES or name.removesuffix(".zip") + "/train.tsv" in FILES
    elif words[0] == "albertkit":
        if words[1] == "finetune":
            words += ["--set", "training.max_steps=2"]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code, line
    else:
        assert words[:2] in (["head", "-5"], ["head", "-3"]) or words[0] in ("cat", "python"), line
