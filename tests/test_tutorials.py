"""The tutorials run as they are written, in every framework, on a few rows in the place of what they download."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch")

import pages
from albertkit import AlbertConfig, AlbertForPreTraining, backends
from albertkit.tokenization import train as trainer
from albertkit.training.initial_state import of_tokenizer
from training import common

ROOT = Path(__file__).parents[1]
FOLDERS = ("docs/tutorials", "docs/ja")
PAGES = sorted(
    path for name in FOLDERS for path in (ROOT / name).glob("*.md") if path.name not in ("README.md", "models.md")
)
MODELS = ("albertkit/small-en", "ken11/albert-base-japanese-v1")
"""The checkpoints of the pages, in whose place comes one that is made here."""

ENGLISH_TEXTS = "She went home with Ada.\nThe gentleman had seen him in Turin.\nHis driver left the house.\n" * 8
JAPANESE_TEXTS = "私《わたし》はその人を常に先生と呼んでいた。\n［＃改ページ］だから夏目は東京で生まれた。\n" * 8


def squad(context, question, answer):
    asked = {"question": question, "answers": [{"text": answer, "answer_start": context.index(answer)}]}
    questions = [{**asked, "id": str(number)} for number in range(4)]
    return json.dumps({"data": [{"title": "t", "paragraphs": [{"context": context, "qas": questions}]}]})


def lines(*records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records * 4)


DREAM = [[["W: Ada left."], [{"question": "Who?", "choice": ["Ada.", "Leon."], "answer": "Ada."}], "1"]] * 4
NAMED = [{"text": "夏目は東京で生まれた。", "entities": [{"name": "夏目", "span": [0, 2], "type": "人名"}]}] * 20
CHOICES = {
    "q_id": 1,
    "question": "白いのは？",
    **{f"choice{n}": word for n, word in enumerate("雪炭夜草海")},
    "label": 0,
}
FILES = {
    "tutorials/text-classification": {
        "SST-2/train.tsv": "sentence\tlabel\n" + "a warm film\t1\na dull film\t0\n" * 4,
        "SST-2/dev.tsv": "sentence\tlabel\n" + "a dull plot\t0\na warm plot\t1\n",
    },
    "tutorials/token-classification": dict.fromkeys(
        ("train.conll", "dev.conll"), "Ada\tB-person\nleft\tO\nTurin\tB-location\n\t\n" * 4
    ),
    "tutorials/question-answering": dict.fromkeys(
        ("reddit.json", "wiki.json"), squad("Ada was born in Turin.", "Where was she born?", "Turin")
    ),
    "tutorials/multiple-choice": dict.fromkeys(("train.json", "dev.json"), json.dumps(DREAM)),
    "tutorials/masked-language-modelling": dict.fromkeys(("emma.txt", "persuasion.txt"), ENGLISH_TEXTS),
    "ja/text-classification": dict.fromkeys(
        ("train.jsonl", "valid.jsonl"),
        lines(
            {"sentence1": "犬が走る。", "sentence2": "犬が駆ける。", "label": 4.5},
            {"sentence1": "犬が走る。", "sentence2": "駅がある。", "label": 0.0},
        ),
    ),
    "ja/token-classification": {"ner.json": json.dumps(NAMED)},
    "ja/question-answering": dict.fromkeys(
        ("train.json", "valid.json"), squad("夏目 [SEP] 夏目は東京で生まれた。", "どこで生まれたか。", "東京")
    ),
    "ja/multiple-choice": dict.fromkeys(("train.jsonl", "valid.jsonl"), lines(CHOICES)),
    "ja/masked-language-modelling": dict.fromkeys(("kokoro.sjis.txt", "botchan.sjis.txt"), JAPANESE_TEXTS),
}
"""What each page downloads."""

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    texts = [
        ENGLISH_TEXTS,
        JAPANESE_TEXTS,
        "gentleman\ndriver\n" * 99,
        *(content for files in FILES.values() for content in files.values()),
    ]
    tokenizer = trainer.train(iter("\n".join(texts).splitlines()), 400, folder, exact=False, keep_accents=True)
    config = AlbertConfig(**{**common.TINY, **of_tokenizer(tokenizer), "max_position_embeddings": 512})
    AlbertForPreTraining(config).save_pretrained(folder)
    return str(folder)


def framework_of(code):
    """The framework that a block or command is for, where it names one: else it is for whichever is installed."""
    named = re.search(r"--framework (\w+)|\b(TFAlbert|FlaxAlbert|import torch\b)", code)
    by_class = {"TFAlbert": "tensorflow", "FlaxAlbert": "flax", "import torch": "torch"}
    return named and by_class.get(named[2], named[1])


@pytest.mark.tensorflow
@pytest.mark.flax
@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_a_tutorial_runs_from_its_first_line_to_its_last_in_every_framework(page, model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = FILES[f"{page.parent.name}/{page.stem}"]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="cp932" if "sjis" in name else "utf-8")
    blocks = pages.BLOCK.findall(page.read_text(encoding="utf-8"))
    assert {language for language, _ in blocks} == {"sh", "python"}
    assert {framework_of(code) for language, code in blocks if language == "python"} == {None, *backends.PACKAGES}
    can_run = {None, *backends.installed()}
    for language, code in blocks:
        if language == "python" and framework_of(code) in can_run:
            pages.run_python(code, page, monkeypatch)
        for line in code.splitlines() if language == "sh" else ():
            if framework_of(line) in can_run:
                run(re.sub("|".join(MODELS), model, line), files, monkeypatch)
    assert capsys.readouterr().out


def run(line, files, monkeypatch):
    """Run a line: a command of albertkit in two steps; what would be downloaded must be there."""
    words = shlex.split(line)
    if words[0] == "curl":
        name = words[words.index("-o") + 1].replace(".zip", "/train.tsv")
        assert words[-1].startswith("https://")
        assert name in files
    elif words[0] == "albertkit":
        steps = " --set training.max_steps=2" if words[1] == "finetune" else ""
        pages.run_albertkit(line + steps, monkeypatch)
    elif "zipfile" not in words:
        assert words[0] in ("head", "cat", "iconv"), line
        subprocess.run(["bash", "-euc", line], check=True)
