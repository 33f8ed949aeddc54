"""BatchEncoding: what a tokenizer answers, by key, by attribute and as arrays; padding; the way back to the text."""

import contextlib
import importlib
from collections import UserDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from albertkit.errors import InputError, MissingDependency
from albertkit.tokenization.encoding import Encoding
from albertkit.tokenization.options import Padding

# How each framework makes an array: (module, function, name of the package, extra).
_FRAMEWORKS = {
    "np": ("numpy", "asarray", "NumPy", ""),
    "pt": ("torch", "from_numpy", "PyTorch", "torch"),
    "tf": ("tensorflow", "convert_to_tensor", "TensorFlow", "tensorflow"),
    "jax": ("jax.numpy", "asarray", "JAX", "flax"),
}

# What fills a padded column.
_FILLINGS = {"token_type_ids": 0, "attention_mask": 0, "special_tokens_mask": 1, "offset_mapping": (0, 0)}


class CharSpan(NamedTuple):
    """Half-open span of characters."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """Half-open span of tokens."""

    start: int
    end: int


class BatchEncoding(UserDict):
    """A mapping of input names to lists, or to arrays after `convert_to_tensors`.

    Methods that lead back to the text take (batch index, index), or the index alone for a single text. They need
    alignments, which are worked out when first asked for.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        encodings: Sequence[Encoding] | Callable[[], Sequence[Encoding]] | None = None,
        truncated: Sequence[int] = (),
    ) -> None:
        super().__init__(data or {})
        self._encodings = encodings
        self.truncated = list(truncated)
        """For each text or pair of the call: how many of its tokens were cut off and stand in no window."""

    @property
    def encodings(self) -> Sequence[Encoding]:
        """One Encoding an input, with alignments. InputError where the batch was not made from text."""
        if callable(self._encodings):
            self._encodings = self._encodings()
        if self._encodings is None:
            raise InputError(
                "Only a batch that a tokenizer made from text leads back to it. This one was made from ids, or put "
                "together by hand."
            )
        return self._encodings

    @property
    def is_fast(self) -> bool:
        """Whether alignments can be had: True for what any tokenizer here made from text."""
        return self._encodings is not None

    @property
    def n_sequences(self) -> int | None:
        """1 for texts, 2 for pairs, None where that is not known."""
        return None if not self._encodings or not self.encodings else 1 + (self.encodings[0].second is not None)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["data"][name]
        except KeyError:
            raise AttributeError(
                f"This batch has no {name!r}; it has {', '.join(self.__dict__.get('data', ()))}."
            ) from None

    def __getitem__(self, key: str | int | slice) -> Any:
        """A column by name, one Encoding by number, or a slice of every column."""
        if isinstance(key, str):
            return self.data[key]
        if isinstance(key, int):
            return self.encodings[key]
        return {name: column[key] for name, column in self.data.items()}

    def __getstate__(self) -> dict[str, Any]:
        encodings = None
        with contextlib.suppress(InputError):  # what no longer leads back to its text can still be sent
            encodings = self.encodings
        return {**self.__dict__, "_encodings": encodings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    # ------------------------------------------------------------------------------------------------------- to arrays

    def convert_to_tensors(self, tensor_type: str | None = None, prepend_batch_axis: bool = False) -> "BatchEncoding":
        """Make every column an array: "np", "pt", "tf" or "jax", of int64, or of float32 where it holds fractions.

        InputError where rows differ in length.
        """
        if tensor_type is None:
            return self
        tensor_type = getattr(tensor_type, "value", tensor_type)
        module, function, package, extra = _FRAMEWORKS.get(str(tensor_type), ("", "", "", ""))
        if not module:
            raise InputError(f"`return_tensors` must be one of {', '.join(_FRAMEWORKS)}. Received: {tensor_type!r}.")
        try:
            convert = getattr(importlib.import_module(module), function)
        except ImportError:
            raise MissingDependency(f'return_tensors="{tensor_type}"', package, extra) from None
        for name, column in self.data.items():
            rows = [column] if prepend_batch_axis else column
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
            is_real = array.dtype.kind == "f" and array.size
            self.data[name] = convert(array.astype(np.float32 if is_real else np.int64))
        return self

    def to(self, device: Any, *, non_blocking: bool = False) -> "BatchEncoding":
        """Move PyTorch columns to a device; others stay."""
        self.data = {
            name: column.to(device, non_blocking=non_blocking) if hasattr(column, "to") else column
            for name, column in self.data.items()
        }
        return self

    # ----------------------------------------------------------------------------------------------- back to the text

    def tokens(self, batch_index: int = 0) -> list[str]:
        """Token texts of one input."""
        return self.encodings[batch_index].tokens

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """Word of each token of one input; see Encoding."""
        return self.encodings[batch_index].word_ids

    words = word_ids

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """Text of each token of one input: 0, 1 or None."""
        return self.encodings[batch_index].sequence_ids

    def token_to_sequence(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """Which text a token belongs to."""
        encoding, index = self._pick(batch_or_token_index, token_index)
        return encoding.sequence_ids[index]

    def token_to_word(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """Which word a token belongs to."""
        encoding, index = self._pick(batch_or_token_index, token_index)
        return encoding.word_ids[index]

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        """The characters that a token comes from, or None for a special token."""
        encoding, index = self._pick(batch_or_token_index, token_index)
        return None if encoding.sequence_ids[index] is None else CharSpan(*encoding.offsets[index])

    def char_to_token(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The token that holds a character of the first or second text, or None where it was dropped or cut off."""
        encoding, index = self._pick(batch_or_char_index, char_index)
        for token, (sequence, (start, end)) in enumerate(zip(encoding.sequence_ids, encoding.offsets, strict=True)):
            if sequence == sequence_index and start <= index < end:
                return token
        return None

    def char_to_word(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The word that holds a character."""
        encoding, _ = self._pick(batch_or_char_index, char_index)
        token = self.char_to_token(batch_or_char_index, char_index, sequence_index)
        return None if token is None else encoding.word_ids[token]

    def word_to_tokens(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> TokenSpan | None:
        """The tokens of a word, or None where it was cut off."""
        encoding, index = self._pick(batch_or_word_index, word_index)
        found = [
            token
            for token, (sequence, word) in enumerate(zip(encoding.sequence_ids, encoding.word_ids, strict=True))
            if sequence == sequence_index and word == index
        ]
        return TokenSpan(found[0], found[-1] + 1) if found else None

    def word_to_chars(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> CharSpan | None:
        """The characters of a word, or None where it was cut off."""
        encoding, _ = self._pick(batch_or_word_index, word_index)
        tokens = self.word_to_tokens(batch_or_word_index, word_index, sequence_index)
        if tokens is None:
            return None
        return CharSpan(encoding.offsets[tokens.start][0], encoding.offsets[tokens.end - 1][1])

    def _pick(self, first: int, second: int | None) -> tuple[Encoding, int]:
        return (self.encodings[0], first) if second is None else (self.encodings[first], second)


def pad(columns: Mapping[str, list], pad_id: int, padding: Padding) -> dict[str, list]:
    """Fill the rows of every column to one length.

    A missing attention mask is made. Rows already longer stay, and so do columns this module does not know.
    """
    lengths = [len(row) for row in columns["input_ids"]]
    target = max(lengths, default=0) if padding.length is None else padding.length
    if padding.multiple:
        target = -(-target // padding.multiple) * padding.multiple
    columns = dict(columns)
    columns.setdefault("attention_mask", [[1] * length for length in lengths])
    fillings = {"input_ids": pad_id, **_FILLINGS}
    for name in columns.keys() & fillings.keys():
        filled = [[fillings[name]] * max(target - length, 0) for length in lengths]
        rows = (
            zip(filled, columns[name], strict=True)
            if padding.side == "left"
            else zip(columns[name], filled, strict=True)
        )
        columns[name] = [[*before, *after] for before, after in rows]
    return columns
