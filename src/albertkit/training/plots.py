"""Figures as pictures, where matplotlib is installed; their numbers stand in the model card in any case."""

import functools
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from albertkit.tasks.figures import Bars, Confusion, Figure, Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INSTALL = 'pip install "albertkit[plots]"'
BLUE, RED, LIGHT = "#1f5a96", "#b0413e", "#c8d4e3"
_DEFAULT, _LONGEST = "DejaVu Sans", 28
"""The font that comes with matplotlib, and the characters of a label that are drawn."""
_BOXES = ("Last Resort", "LastResort")
"""Fonts that have a box for every character."""
_SERIES = (BLUE, RED, "#d9a441")


def are_possible() -> bool:
    """Whether there is matplotlib to draw with."""
    return importlib.util.find_spec("matplotlib") is not None


def file_of(figure: Figure) -> str:
    """What the picture of a figure is called."""
    return f"figure_{figure.name}.png"


def draw(figure: Figure, target: Path) -> None:
    """Draw a figure as PNG. Labels in scripts that no font here has are drawn as numbers: their places in the table."""
    pyplot = prepared()
    drawn, axes = pyplot.subplots(figsize=_size(figure), layout="constrained")
    _DRAWERS[type(figure)](figure, axes)
    axes.set_title(figure.title, fontsize=11)
    drawn.savefig(target, dpi=120)
    pyplot.close(drawn)


def prepared() -> ModuleType:
    """`matplotlib.pyplot`, for files alone."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _size(figure: Figure) -> tuple[float, float]:
    if isinstance(figure, Confusion):
        longest = min(max(map(len, figure.labels), default=0), _LONGEST)
        side = max(3.6, 1.4 + 0.42 * len(figure.labels)) + 0.07 * longest
        return side + 0.6, side
    if isinstance(figure, Bars):
        return 7.0, max(2.4, 1.2 + 0.16 * len(figure.labels) * (len(figure.scores) + 1))
    return 4.6, 4.6


def _draw_confusion(figure: Confusion, axes: "Axes") -> None:
    counts = np.array(figure.counts)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks, (labels, family) = range(len(figure.labels)), readable(figure.labels)
    is_long = sum(map(len, labels)) > 40 or len(labels) > 8
    axes.set_xticks(ticks, labels, rotation=60 if is_long else 0, ha="right" if is_long else "center", family=family)
    axes.set_yticks(ticks, labels, family=family)
    axes.set(xlabel="predicted", ylabel=_named("true", figure.labels, labels))
    size = 9 if len(labels) <= 10 else 6
    for row, column in np.argwhere(counts):
        count = counts[row, column]
        color = "white" if shares[row, column] > 0.55 else "#333333"
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=size, color=color)


def _draw_bars(figure: Bars, axes: "Axes") -> None:
    labels, family = readable(figure.labels)
    named = [f"{label}  ({count:,})" for label, count in zip(labels, figure.counts, strict=True)]
    places, height = np.arange(len(labels)), 0.8 / len(figure.scores)
    for number, (name, values) in enumerate(figure.scores.items()):
        offset = (number - (len(figure.scores) - 1) / 2) * height
        axes.barh(places + offset, values, height * 0.92, label=name, color=_SERIES[number % len(_SERIES)])
    axes.set_yticks(places, named, family=family)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), ylabel=_named(f"{figure.axis} (how many)", figure.labels, labels))
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    if len(figure.scores) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    else:
        axes.set_xlabel(next(iter(figure.scores)))


def _draw_reliability(figure: Reliability, axes: "Axes") -> None:
    counts = np.array(figure.counts, float)
    axes.plot([0, 1], [0, 1], linestyle=":", color="#888888", label="as sure as right")
    axes.plot(figure.confidence, figure.accuracy, color=BLUE, linewidth=1)
    sizes = 20 + 180 * counts / counts.max()
    axes.scatter(figure.confidence, figure.accuracy, s=sizes, color=BLUE, label="answers, larger where there are more")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=f"confidence; calibration error {figure.error:.3f}", ylabel="share right")
    axes.legend(loc="upper left", frameon=False, fontsize=8)


_DRAWERS: dict[type[Figure], Callable[..., None]] = {
    Confusion: _draw_confusion,
    Bars: _draw_bars,
    Reliability: _draw_reliability,
}


def _named(axis: str, labels: Sequence[str], drawn: Sequence[str]) -> str:
    """What an axis is called: where numbers took the place of labels, that they did."""
    are_numbers = list(drawn) == [str(number) for number in range(1, len(labels) + 1)]
    return f"{axis}, by its place in the table" if are_numbers and list(labels) != list(drawn) else axis


def readable(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Labels as they can be drawn, shortened where they are long, and the fonts for them, one for each other's gaps.

    Where no font here has the characters, numbers from 1 take their place: a box in place of a letter says nothing.
    """
    shown = [label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…" for label in labels]
    missing = {ord(character) for label in shown for character in label if not character.isspace()}
    families = []
    for family, path in _fonts():
        if not missing:
            break
        characters = _characters(path)
        if missing & characters:
            families.append(family)
            missing -= characters
    if missing:
        return [str(number) for number in range(1, len(labels) + 1)], [_DEFAULT]
    return shown, families or [_DEFAULT]


@functools.cache
def _fonts() -> list[tuple[str, str]]:
    """The fonts of this machine and their files: that of matplotlib, then those that may have many scripts."""
    from matplotlib import font_manager

    files = {font.name: font.fname for font in font_manager.fontManager.ttflist if font.style == "normal"}
    files = {name: path for name, path in files.items() if not name.startswith(_BOXES)}
    order = sorted(files, key=lambda name: (name != _DEFAULT, "CJK" not in name and "Gothic" not in name, name))
    return [(name, files[name]) for name in order]


@functools.cache
def _characters(path: str) -> frozenset[int]:
    """The characters that a font has; none where it cannot be read."""
    from matplotlib import ft2font

    try:
        return frozenset(ft2font.FT2Font(path).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()
