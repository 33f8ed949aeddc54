"""A calibration kept with a model: in its config, in calibration.json, and in its card for people, with pictures."""

import json
import re
from pathlib import Path

from albertkit import hub, storage
from albertkit.errors import InputError
from albertkit.tasks import calibration
from albertkit.tasks.figures import Reliability
from albertkit.training import model_card, plots
from albertkit.typing import Record

FILE = "calibration.json"
_CONFIG, _CARD = "config.json", "README.md"
_SECTION = re.compile(r"^## Calibration\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def require_folder(model: str) -> Path:
    """The folder of a model. InputError for one that is none, such as a name of the hub."""
    folder = Path(model)
    hub.require_single(folder)
    if not (folder / _CONFIG).is_file():
        raise InputError(
            f"A calibration is kept with its model, which must be a folder with a {_CONFIG}. Received: {model}. Save "
            "the model in a folder of yours with save_pretrained, and name that."
        )
    return folder


def save(folder: Path, entry: Record, results: Record) -> None:
    """Write the entry of a calibrated model's config, and how it does, to its folder, in place of one that is there.

    The pictures of a card are drawn where matplotlib is installed.
    """
    config = json.loads((folder / _CONFIG).read_bytes())
    storage.write_json(folder / _CONFIG, {**config, calibration.TRAINED: entry})
    storage.write_json(folder / FILE, results)
    card = folder / _CARD
    if card.is_file():
        if plots.are_possible():
            for one in figures(results):
                plots.draw(one, folder / plots.file_of(one))
        storage.write_text(card, with_section(card.read_text(encoding="utf-8"), results))


def figures(results: Record) -> list[Reliability]:
    """How often answers of a given confidence are right, before and after."""
    found = []
    for when in ("before", "after"):
        bins = results[f"bins_{when}"]
        sure, right, counts = ([one[name] for one in bins] for name in ("confidence", "accuracy", "count"))
        title, error = f"Confidence {when} calibration", results[f"expected_calibration_error_{when}"]
        found.append(Reliability(f"calibration_{when}", title, sure, right, counts, error))
    return found


def with_section(card: str, results: Record) -> str:
    """A model card with the section on calibration, before that of the data or at the end."""
    shown = {name: value for name, value in results.items() if isinstance(value, (int, float))}
    values = [f"| {name} | {f'{value:.4f}' if isinstance(value, float) else value} |" for name, value in shown.items()]
    told = f"On `{Path(str(results['data'])).name}`. What stands as after was measured on each half of the rows with "
    lines = [
        *("## Calibration", "", f"{told}what was fitted to the other half.", ""),
        *("| figure | value |", "|---|---|", *values, ""),
        *(*model_card.shown(figures(results)), ""),
    ]
    card, section = _SECTION.sub("", card), "\n".join(lines)
    before, head, after = card.partition("## Data\n")
    return f"{before}{section}{head}{after}" if head else f"{card.rstrip()}\n\n{section}"
