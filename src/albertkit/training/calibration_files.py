"""A calibration kept with a model: in its config, in calibration.json, and in its card for people."""

import json
import re
from pathlib import Path

from albertkit import storage
from albertkit.errors import InputError
from albertkit.tasks import calibration
from albertkit.tasks.calibration import Calibration
from albertkit.typing import Record

FILE = "calibration.json"
_CONFIG, _CARD = "config.json", "README.md"
_SECTION = re.compile(r"^## Calibration\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def require_folder(model: str) -> Path:
    """The folder of a model. InputError for one that is none, such as a name of the hub."""
    folder = Path(model)
    if not (folder / _CONFIG).is_file():
        raise InputError(
            f"A calibration is kept with its model, which must be a folder with a {_CONFIG}. Received: {model}. Save "
            "the model in a folder of yours with save_pretrained, and name that."
        )
    return folder


def save(folder: Path, task: str, found: Calibration, results: Record) -> None:
    """Write a calibration and how it does to the folder of a model, in place of one that is there."""
    config = json.loads((folder / _CONFIG).read_bytes())
    entry = calibration.entry(config.get(calibration.TRAINED), task, found)
    storage.write_json(folder / _CONFIG, {**config, calibration.TRAINED: entry})
    storage.write_json(folder / FILE, results)
    card = folder / _CARD
    if card.is_file():
        storage.write_text(card, with_section(card.read_text(encoding="utf-8"), results))


def with_section(card: str, results: Record) -> str:
    """A model card with the section on calibration, before that of the data or at the end."""
    shown = {name: value for name, value in results.items() if isinstance(value, (int, float))}
    values = [f"| {name} | {f'{value:.4f}' if isinstance(value, float) else value} |" for name, value in shown.items()]
    lines = [
        *(
            "## Calibration",
            "",
            f"On `{Path(str(results['data'])).name}`. What stands as after was measured on each half ",
        ),
        *(
            "of the rows with what was fitted to the other half.",
            "",
            "| figure | value |",
            "|---|---|",
            *values,
            "",
            "",
        ),
    ]
    card, section = _SECTION.sub("", card), "\n".join(lines)
    before, head, after = card.partition("## Data\n")
    return f"{before}{section}{head}{after}" if head else f"{card.rstrip()}\n\n{section}"
