"""What an archive of torch.export may hold before PyTorch is given it.

`torch.export.load` unpickles what an archive says is pickled, takes operators by any name that starts with torch, loads
compiled code, and evaluates formulas of sizes. Our programs need none of that: arrays are stored as they are, operators
are those of ATen, and formulas are made of sizes, numbers and a few functions.
"""

import io
import json
import pickle
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch

from albertkit.errors import CheckpointError
from albertkit.typing import Json

_PROGRAM = r"models/model\.json|data/sample_inputs/model\.pt|(archive_)?(version|format)|\.?(byteorder|format_version)"
_ARRAYS = r"data/(weights|constants)/(weight_\d+|tensor_\d+|model_(weights|constants)_config\.json)"
_ENTRY = re.compile(rf"[\w.-]+/({_PROGRAM}|{_ARRAYS}|\.data/(serialization_id|version|byteorder|format_version))")
_OPERATOR = re.compile(r"torch\.ops\.aten\.\w+\.\w+|torch\.sym_\w+|_operator\.[a-z]+")
_FUNCTIONS = "Max|Min|Mod|FloorDiv|Eq|Ne|Ge|Gt|Le|Lt|True|False|oo|int_oo"
_FORMULA = re.compile(rf"(\b[su]\d+\b|\b({_FUNCTIONS})\b|[\d+\-*/()<>=, ])*")


def require_plain(file: Path) -> None:
    """CheckpointError for an archive that holds anything but a graph of known operators and arrays."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            strange = [name for name in names if not _ENTRY.fullmatch(name)]
            strange += [] if len({name.lower() for name in names}) == len(names) else ["two files of one name"]
            for name in () if strange else names:
                strange += _strange(name, archive.read(name))
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
        strange = [f"what cannot be read ({type(error).__name__})"]
    if strange:
        raise CheckpointError(
            f"{file} must hold a graph of PyTorch's operators and arrays, and nothing that runs when it is loaded. It "
            f"holds {strange[0][:80]}. Export the model again."
        )


def _strange(name: str, content: bytes) -> list[str]:
    """What of one file PyTorch must not be given."""
    if name.endswith(".json"):
        return list(_of_json(json.loads(content)))
    if name.endswith("sample_inputs/model.pt") and content:
        torch.load(io.BytesIO(content), weights_only=True)  # an error here is what PyTorch would pass over
    return []


def _of_json(value: Json) -> Iterator[str]:
    """The parts of a description that name other operators, other formulas or pickles."""
    if isinstance(value, list):
        for one in value:
            yield from _of_json(one)
    if not isinstance(value, dict):
        return
    for key, one in value.items():
        is_operator = key == "target" and isinstance(one, str) and one.startswith(("torch", "_operator", "math", "#"))
        if is_operator and not _OPERATOR.fullmatch(one):
            yield f"the operator {one}"
        if key == "expr_str" and not (isinstance(one, str) and _FORMULA.fullmatch(one)):
            yield f"the formula {one}"
        if key == "use_pickle" and one:
            yield "pickled arrays"
        yield from _of_json(one)
