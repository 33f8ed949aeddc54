"""docs/results.md from what is kept in results/: nothing is measured here.

    make results

Needs nothing but Python. What a file is about, and what was asked of its figures, stands in results_page.toml.
"""

import json
import math
import statistics
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import common

PAGE = Path(__file__).parents[1] / "docs" / "results.md"
SECTIONS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
LEFT_OUT = {"structure"}
"""Of the code, and not of what it does."""
LOWER = {"perplexity"}
"""Scores of which less is better."""

Record = dict[str, Any]


def page(folder: Path = common.RESULTS) -> str:
    """The whole page, from a folder of results."""
    begun = read(folder / "quality", SECTIONS["order"]["quality"])
    runs = {name: one for name, one in begun.items() if one["runs"]}
    others = {name: one for name, one in read(folder, list(SECTIONS["kept"])).items() if name not in LEFT_OUT}
    parts = [SECTIONS["text"]["head"].strip(), quality(runs), *(section(*one) for one in others.items())]
    return "\n\n".join(part for part in parts if part) + "\n"


def read(folder: Path, order: Sequence[str]) -> dict[str, Record]:
    """The results of a folder by name: those of a list in its order, then others by name."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    return {name: found[name] for name in [*(one for one in order if one in found), *found]}


def quality(runs: Mapping[str, Record]) -> str:
    """The runs of quality.py: a table of all, in words which of them fell short, and how each was made."""
    if not runs:
        return ""
    rows = [quality_row(one) for one in runs.values()]
    head = ("task", "score", "baseline", "from nothing", "from the model", "seeds", "what it says")
    how = [f"- **{run['title']}**: {made(run)}" for run in runs.values()]
    text = SECTIONS["text"]
    return "\n\n".join(
        [text["quality"].strip(), table(head, rows), verdict(runs.values()), text["recipes"].strip(), "\n".join(how)]
    )


def quality_row(run: Record) -> tuple[str, ...]:
    """A run in the table: its first score on every side."""
    name = run["scores"][0]
    baseline = number(run["baseline"]["scores"][name])
    sides = [spread(run, side, name) for side in ("nothing", "model")]
    seeds = max(len(each) for each in run["runs"].values())
    return run["title"], name.replace("_", " "), baseline, *sides, str(seeds), judged(run)


def spread(run: Record, side: str, score: str) -> str:
    """The median of the seeds, with the lowest and the highest of several."""
    found = values(run, side, score)
    if not found:
        return "-"
    bounds = f" ({number(min(found))} to {number(max(found))})" if len(found) > 1 else ""
    return number(statistics.median(found)) + bounds


def values(run: Record, side: str, score: str) -> list[float]:
    """A score of each seed."""
    return [one["scores"][score] for one in run["runs"].get(side, ())]


def comparisons(run: Record) -> dict[str, float]:
    """What a run is compared with, and by how much it is above that in its first score.

    Nothing where it has not been run from the model.
    """
    name = run["scores"][0]
    sign = -1 if name in LOWER else 1
    nothing = values(run, "nothing", name)
    ours = values(run, "model", name)
    if not ours:
        return {}
    others = {run["baseline"]["what"]: [run["baseline"]["scores"][name]]}
    if nothing:
        others["the same from nothing"] = nothing
    return {what: sign * gain(ours, found) for what, found in others.items()}


def shortcomings(run: Record) -> list[str]:
    """What a run is not above."""
    return [what for what, gained in comparisons(run).items() if gained <= 0]


def gain(ours: Sequence[float], others: Sequence[float]) -> float:
    """By how much the median of one side is above that of the other."""
    return statistics.median(ours) - statistics.median(others)


def judged(run: Record) -> str:
    """In words what the scores of a run say."""
    gains = comparisons(run)
    if not gains:
        return "not run from the model yet"
    if missed := shortcomings(run):
        return f"**not above {' and '.join(missed)}**"
    doubt = ", by no more than chance may give" if is_doubted(run) else ""
    return f"above {' and '.join(gains)}{doubt}"


def is_doubted(run: Record) -> bool:
    """Whether an accuracy is less than two standard errors above what it is compared with."""
    if run["scores"][0] != "accuracy":
        return False
    share = run["baseline"]["scores"]["accuracy"]
    return min(comparisons(run).values()) < 2 * math.sqrt(share * (1 - share) / run["data"]["rows"][1])


def verdict(runs: Iterable[Record]) -> str:
    """How many runs are above what they are compared with, and which are not, or hardly."""
    listed = [run for run in runs if comparisons(run)]
    missed = [run["title"] for run in listed if shortcomings(run)]
    doubted = [run["title"] for run in listed if not shortcomings(run) and is_doubted(run)]
    told = f"{len(listed) - len(missed)} of {len(listed)} tasks are above all that they are compared with"
    told += f", {' and '.join(doubted)} by no more than chance may give." if doubted else "."
    lonely = [run["title"] for run in listed if "the same from nothing" not in comparisons(run)]
    told += f" {len(lonely)} of them were not run from nothing: {', '.join(lonely)}." if lonely else ""
    return f"{told} Not so: {', '.join(missed)}." if missed else told


def made(run: Record) -> str:
    """Data, recipe and times of a run."""
    trained, evaluated = run["data"]["rows"]
    data = f"{trained:,} examples to train on, {evaluated:,} to be judged by"
    data += f" ({run['data']['made']})" if run["data"]["made"] else ""
    recipe = ", ".join(f"`{key}={value}`" for key, value in run["recipe"].items() if key != "training.evaluate_every")
    seconds = [one["seconds"] for each in run["runs"].values() for one in each]
    more = [f"{name} {spread(run, 'model', name)}" for name in run["scores"][1:] if run["runs"].get("model")]
    others = f" Other scores from the model: {', '.join(more)}." if more else ""
    return f"{data}; {recipe}; at most {max(seconds)} seconds.{others}"


def section(name: str, result: Record) -> str:
    """A kept comparison: what it is, its figures beside what was asked, and how it was measured."""
    about = SECTIONS["kept"].get(name, {"title": name.replace("_", " ")})
    asked = about.get("asked") or dict(result.get("peer") or {}).get("asked", {})
    shown = {label: at(result, way) for label, way in about.get("shown", {}).items()}
    figures = {**result.get("ratios", {}), **flat(shown)}
    rows = [(key, number(value), asked_of(asked.get(key))) for key, value in figures.items()]
    columns = 3 if any(bound for *_, bound in rows) else 2
    figures_table = table(("what", "measured", "asked")[:columns], [row[:columns] for row in rows]) if rows else ""
    parts = [f"## {about['title']}", about.get("text", "").strip(), figures_table, source(result)]
    return "\n\n".join(part for part in parts if part)


def at(result: Record, way: Sequence[str]) -> Any:
    """What stands in a result at the end of a way of names."""
    for name in way:
        result = result[name]
    return result


def asked_of(bound: float | str | None) -> str:
    """What was asked, as a table has it."""
    return "" if bound is None else bound if isinstance(bound, str) else f"at least {number(bound)}"


def flat(tree: Mapping[str, Any], before: str = "") -> dict[str, float]:
    """Figures of nested mappings by the names on the way to them; a list counts its items."""
    found: dict[str, float] = {}
    for key, value in tree.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}, ")
        else:
            found[name] = len(value) if isinstance(value, list) else value
    return found


def source(result: Record) -> str:
    """The command, the machine and the versions of a result."""
    machine, versions = result.get("machine"), result.get("versions", {})
    where = f", on {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB" if machine else ""
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"`{result['command']}`{where}" + (f"; {packages}." if packages else ".")


def number(value: float) -> str:
    """A figure for a table."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name}: {len(page().splitlines())} lines\n")


if __name__ == "__main__":
    main()
