"""export.json: what a folder holds in the formats of other runtimes, and how exact each was found to be."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import xxhash

from albertkit import storage
from albertkit.errors import CheckpointError, CheckpointNotFound
from albertkit.exports import base, registry
from albertkit.typing import Json, Record

FILE = "export.json"
_PLACE = re.compile(r"[\w-]+(?:/[\w-]+)*/[\w-][\w.-]*")
"""A file in a folder of its format, or in one inside that: nothing that leads out of it."""


@dataclass(frozen=True)
class Entry:
    """One export."""

    format: str
    precision: str
    task: str
    head: str
    file: str
    """The file to open, as a path inside the folder."""
    files: Mapping[str, str]
    """The checksum of each file by its path."""
    bytes: int
    weight_bytes: int
    products: int
    converted: int
    parity: Record
    """How it differs from the model that it was made of; see `inference.parity`."""
    made_with: Mapping[str, str]
    """Versions of packages."""
    detail: str = ""

    def describe(self) -> str:
        """What was made, and how exact it was found to be, in a few words."""
        whole = f", {self.converted} of {self.products} products in integers" if self.converted else ""
        figures = {name: value for name, value in self.parity.items() if isinstance(value, float)}
        told = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in figures.items())
        rows = f"{self.parity.get('rows')} rows, {self.parity.get('data')}"
        return f"{self.format} in {self.precision}, {self.bytes / 1e6:,.1f} MB{whole}. On {rows}: {told}."


def read(folder: Path) -> list[Entry]:
    """The exports in a folder, in the order in which they were made; none where it has no such file.

    CheckpointError where the file says what no export does.
    """
    with storage.open_folder(folder) as opened:
        path = opened.file(FILE)
        stated = storage.read_json(path).get("exports") if path else []
    if not isinstance(stated, list):
        raise CheckpointError(f"{folder / FILE} must hold a list of exports. Export the model again.")
    return [_entry(one, folder / FILE) for one in stated]


def _entry(stated: Json, path: Path) -> Entry:
    try:
        entry = Entry(**stated)
        if _is_known(entry):
            return entry
    except (TypeError, AttributeError):  # other keys, or values of another kind
        pass
    raise CheckpointError(
        f"{path} must say of each export what it is and where its files lie. It holds something else. Export the model "
        "again."
    )


def _is_known(entry: Entry) -> bool:
    places = [entry.file, *entry.files]
    return (
        entry.format in registry.names()
        and entry.head in base.OUTPUTS
        and entry.file in entry.files
        and all(_PLACE.fullmatch(place) for place in places)
        and all(isinstance(stated, str) for stated in entry.files.values())
        and isinstance(entry.parity, dict)
    )


def write(folder: Path, entries: Sequence[Entry]) -> None:
    """Write the file."""
    storage.write_json(folder / FILE, {"exports": [asdict(entry) for entry in entries]})


def checksum(path: Path) -> str:
    """The checksum of a file, as fast as it is read."""
    hashed = xxhash.xxh3_128()
    with path.open("rb") as file:
        while part := file.read(2**20):
            hashed.update(part)
    return f"xxh3_128:{hashed.hexdigest()}"


def opened(folder: Path, entry: Entry) -> Path:
    """The file to open. CheckpointError where files are missing, or are not those that were written."""
    for place, stated in entry.files.items():
        path = folder / place
        if not path.is_file():
            raise CheckpointNotFound(f"{place} must be there, for {FILE} names it. {folder} does not hold it.")
        if checksum(path) != stated:
            raise CheckpointError(
                f"{path} must be as it was written. Its checksum is another than in {FILE}. Repeat the copy, or export "
                "the model again."
            )
    return folder / entry.file
