"""The tables of docs/models.md and docs/ja/models.md, from what is in the package and in models/runs.

python models/page.py
"""

import json
import re
import sys
import tomllib
from pathlib import Path

from albertkit import embedded

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
ABOUT = tomllib.loads((HERE / "models.toml").read_text(encoding="utf-8"))
HEADS = {
    "models.md": ("model", "language", "tasks", "MB", "scores", "cost", "terms"),
    "ja/models.md": ("モデル", "言語", "タスク", "MB", "成績", "費用", "利用条件"),
}
MARKS = re.compile(r"((?<=<!-- models -->\n).*?(?=<!-- /models -->))", re.DOTALL)


def rows() -> list[tuple[str, ...]]:
    """A row a model."""
    return [row(name, model) for name, model in embedded.MODELS.items()]


def row(name: str, model: embedded.Embedded) -> tuple[str, ...]:
    """What is said of a model: a pre-trained one has its scores in its card, one of a task in models/runs."""
    folder = embedded.folder(name)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    card = (folder / "README.md").read_text(encoding="utf-8")
    terms = re.search(r"^license: (.*)$", card, re.MULTILINE)
    short = name.partition("/")[2]
    if short in ABOUT:
        kept = json.loads((HERE / "runs" / short / "scores.json").read_bytes())
        told, cost = "; ".join(judged(short, *each) for each in kept["scores"].items()), f"{kept['minutes']:g} min"
    else:
        values = dict(re.findall(r"^\| (mlm_accuracy|pseudo_perplexity|sop_accuracy) \| (\S+) \|$", card, re.MULTILINE))
        told = ", ".join(f"{key} {float(value):.4g}" for key, value in values.items())
        hours = re.search(r"About ([\d.]+) hours", card)
        cost = f"{hours[1]} h" if hours else ""
    return name, model.language, ", ".join(model.tasks), f"{size:.1f}", told, cost, terms[1] if terms else ""


def judged(name: str, part: str, found: dict[str, dict[str, float]]) -> str:
    """The first score on a part of the data, and in brackets the baseline's."""
    first = ABOUT[name]["scores"][0]
    return f"{part}: {first} {found['model'][first]:.4g} ({found['baseline'][first]:.4g})"


def table(head: tuple[str, ...]) -> str:
    """The rows under a head, as Markdown."""
    lines = [head, ("---",) * len(head), *rows()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Write both pages."""
    for name, head in HEADS.items():
        path = DOCS / name
        before, _, after = MARKS.split(path.read_text(encoding="utf-8"))
        path.write_text(before + table(head) + after, encoding="utf-8")
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
