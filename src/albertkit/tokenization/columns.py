"""The columns of a batch: made of encodings, padded to one length, as arrays of a framework and back as lists.

A column holds one value or one list of L values for each of B inputs.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from albertkit.errors import InputError, MissingDependency
from albertkit.tokenization.encoding import Encoding, TokenizedText
from albertkit.tokenization.options import EncodingOptions, Padding

Column: TypeAlias = Any
"""A list, or an array of NumPy, PyTorch, TensorFlow or JAX: these have no type in common."""

# How each framework makes an array: (module, function, name of the package, extra).
_FRAMEWORKS = {
    "np": ("numpy", "asarray", "NumPy", ""),
    "pt": ("torch", "from_numpy", "PyTorch", "torch"),
    "tf": ("tensorflow", "convert_to_tensor", "TensorFlow", "tensorflow"),
    "jax": ("jax.numpy", "asarray", "JAX", "flax"),
}

# What padding holds in each column; in `input_ids` it is the id of the pad token.
_PAD_VALUES = {"token_type_ids": 0, "attention_mask": 0, "special_tokens_mask": 1, "offset_mapping": (0, 0)}


def from_encodings(encodings: Sequence[Encoding], options: EncodingOptions) -> dict[str, list]:
    """The columns that a call asks for, without padding, in the order of `model_input_names`.

    The attention mask is always among them: whoever pads needs it.
    """
    columns: dict[str, list] = {"input_ids": [encoding.ids for encoding in encodings]}
    if options.return_token_type_ids is not False:
        columns["token_type_ids"] = [encoding.type_ids for encoding in encodings]
    columns["attention_mask"] = [[1] * len(ids) for ids in columns["input_ids"]]
    if options.return_special_tokens_mask:
        columns["special_tokens_mask"] = [encoding.special_tokens_mask for encoding in encodings]
    if options.return_offsets_mapping:
        columns["offset_mapping"] = [encoding.offsets for encoding in encodings]
    return columns


def pad(
    columns: Mapping[str, list], pad_id: int, padding: Padding, ids: str = "input_ids", add_mask: bool = True
) -> dict[str, list]:
    """Pad the rows of every column to one length.

    A missing attention mask is made where `add_mask`. Rows already longer stay, and so do columns this module does not
    know. `ids` is the name of the column of ids.
    """
    lengths = [len(row) for row in columns[ids]]
    target = max(lengths, default=0) if padding.length is None else padding.length
    if padding.multiple_of:
        target = -(-target // padding.multiple_of) * padding.multiple_of
    columns = dict(columns)
    if add_mask:
        columns.setdefault("attention_mask", [[1] * length for length in lengths])
    pad_values = {ids: pad_id, **_PAD_VALUES}
    for name in columns.keys() & pad_values.keys():
        pads = [[pad_values[name]] * max(target - length, 0) for length in lengths]
        rows = zip(columns[name], pads, strict=True)
        columns[name] = [[*pad, *row] if padding.side == "left" else [*row, *pad] for row, pad in rows]
    return columns


def count_truncated(text: TokenizedText | None, windows: Sequence[TokenizedText | None]) -> int:
    """How many tokens of a text stand in none of its windows, which together hold all of it or only its beginning."""
    if text is None or (len(windows) > 1 and any(window and window.ids for window in windows)):
        return 0
    return len(text.ids) - max(len(window.ids) for window in windows if window is not None)


def array_maker(tensor_type: object) -> Callable[[np.ndarray], Column]:
    """The function of a framework that makes its array of a NumPy array: of "np", "pt", "tf" or "jax".

    InputError for another `tensor_type`, MissingDependency where the framework is not installed.
    """
    module, function, package, extra = _FRAMEWORKS.get(str(tensor_type), ("", "", "", ""))
    if not module:
        raise InputError(f"`return_tensors` must be one of {', '.join(_FRAMEWORKS)}. Received: {tensor_type!r}.")
    try:
        return getattr(importlib.import_module(module), function)
    except ImportError:
        raise MissingDependency(f'return_tensors="{tensor_type}"', package, extra) from None


def to_numpy(name: str, rows: Sequence) -> np.ndarray:
    """A column as an array (B,) or (B, L): int64, or float32 where it holds fractions.

    InputError where its rows differ in length or hold no numbers; `name` is the column's, for the message.
    """
    try:
        array = np.asarray(rows)
    except ValueError:
        lengths = sorted({len(row) if hasattr(row, "__len__") else 1 for row in rows})
        raise InputError(
            f"Rows of `{name}` must have one length to become an array. Received: lengths from {lengths[0]} to "
            f"{lengths[-1]}. Pass padding=True, and truncation=True for a limit."
        ) from None
    if array.dtype.kind not in "iubf":
        raise InputError(
            f"Only numbers become an array. Received: `{name}`, which holds {type(rows[0]).__name__}. Take it "
            "out, or leave return_tensors out."
        )
    has_fractions = array.dtype.kind == "f" and array.size
    return array.astype(np.float32 if has_fractions else np.int64)


def framework_of(column: Column) -> str | None:
    """The name of the framework whose array a column is, or a list of, as `array_maker` has it; None for lists."""
    if isinstance(column, (list, tuple)):
        return framework_of(column[0]) if column else None
    package = type(column).__module__.partition(".")[0]
    return {"numpy": "np", "torch": "pt", "tensorflow": "tf", "jax": "jax", "jaxlib": "jax"}.get(package)


def to_lists(column: Column) -> Column:
    """Arrays of any framework, and lists of them, as plain lists; a single number stays one."""
    if hasattr(column, "tolist"):
        return column.tolist()
    if hasattr(column, "numpy"):
        return column.numpy().tolist()
    return [to_lists(row) for row in column] if isinstance(column, (list, tuple)) else column
