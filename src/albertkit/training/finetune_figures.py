"""The figures of the best evaluation of a run: kept beside its checkpoints, so that a run that was cut off has them."""

import json
from collections.abc import Sequence
from pathlib import Path

from albertkit import storage
from albertkit.errors import CheckpointError, InputError
from albertkit.tasks import figures
from albertkit.tasks.figures import Figure

FILE = "figures.json"


class BestFigures:
    """Those of the best evaluation so far, which the loop alone knows."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._last: Sequence[Figure] = ()

    def note(self, found: Sequence[Figure]) -> None:
        """An evaluation has these."""
        self._last = found

    def keep(self, step: int) -> None:
        """The evaluation that was noted last, at this step, is the best. What cannot be written is done without."""
        content = {"step": step, "figures": [one.as_record() for one in self._last]}
        try:
            storage.write_json(self._path, content)
        except CheckpointError:
            self._path.unlink(missing_ok=True)

    def of(self, step: int) -> list[Figure]:
        """The figures of an evaluation, none where they were not kept."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            return [figures.of_record(one) for one in content["figures"]] if content["step"] == step else []
        except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError):
            return []
