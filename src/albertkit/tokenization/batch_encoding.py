"""BatchEncoding: what a tokenizer answers, by key, by attribute and as arrays, with the way back to the text."""

import contextlib
from collections import UserDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from albertkit.errors import InputError
from albertkit.tokenization import columns
from albertkit.tokenization.columns import Column
from albertkit.tokenization.encoding import Encoding, SpecialToken, TokenizedPair
from albertkit.tokenization.options import EncodingOptions, Padding


class CharSpan(NamedTuple):
    """Characters of a text, from `start` to before `end`."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """Tokens of a model input, from `start` to before `end`."""

    start: int
    end: int


class BatchEncoding(UserDict):
    """A mapping of input names to lists, or to arrays after `convert_to_tensors`; the names are those of Transformers.

    Rows are model inputs: B of them, each of L tokens with its padding; for a single text the batch axis is left out.
    Methods that lead back to the text take (row, index), or the index alone in the first row. They need alignments,
    which are worked out when first asked for, and raise InputError where the batch was not made from text.
    """

    def __init__(
        self,
        data: Mapping[str, Column] | None = None,
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

    def __getattr__(self, name: str) -> Column:
        try:
            return self.__dict__["data"][name]
        except KeyError:
            raise AttributeError(
                f"This batch has no {name!r}; it has {', '.join(self.__dict__.get('data', ()))}."
            ) from None

    def __getitem__(self, key: str | int | slice) -> Column:
        """A column by name, the Encoding of one row by its number, or a slice of every column."""
        if isinstance(key, str):
            return self.data[key]
        if isinstance(key, int):
            return self.encodings[key]
        return {name: column[key] for name, column in self.data.items()}

    def __getstate__(self) -> dict[str, object]:
        encodings = None
        with contextlib.suppress(InputError):  # what no longer leads back to its text can still be sent
            encodings = self.encodings
        return {**self.__dict__, "_encodings": encodings}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    def convert_to_tensors(self, tensor_type: str | None = None, prepend_batch_axis: bool = False) -> "BatchEncoding":
        """Make every column an array of "np", "pt", "tf" or "jax": int64, or float32 where it holds fractions.

        Columns become (B, L) or (B,), and with `prepend_batch_axis` those of a single text (1, L). Returns the batch
        itself. InputError where rows differ in length or hold no numbers, MissingDependency without the framework.
        """
        if tensor_type is None:
            return self
        make_array = columns.array_maker(getattr(tensor_type, "value", tensor_type))
        for name, column in self.data.items():
            self.data[name] = make_array(columns.to_numpy(name, [column] if prepend_batch_axis else column))
        return self

    def to(self, device: object, *, non_blocking: bool = False) -> "BatchEncoding":
        """Move PyTorch columns to a device, as `torch.Tensor.to` takes it; others stay. Returns the batch itself."""
        self.data = {
            name: column.to(device, non_blocking=non_blocking) if hasattr(column, "to") else column
            for name, column in self.data.items()
        }
        return self

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The tokens of one row as strings (L)."""
        return self.encodings[batch_index].tokens

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """The word of each token of one row (L), counted within its text; None for special tokens and padding."""
        return self.encodings[batch_index].word_ids

    words = word_ids

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """The text of each token of one row (L): 0, 1, or None for special tokens and padding."""
        return self.encodings[batch_index].sequence_ids

    def token_to_sequence(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """The text that a token belongs to: 0, 1, or None for a special token."""
        encoding, index = self._locate(batch_or_token_index, token_index)
        return encoding.sequence_ids[index]

    def token_to_word(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """The word that a token belongs to, counted within its text; None for a special token."""
        encoding, index = self._locate(batch_or_token_index, token_index)
        return encoding.word_ids[index]

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        """The characters of its text that a token comes from, or None for a special token."""
        encoding, index = self._locate(batch_or_token_index, token_index)
        return None if encoding.sequence_ids[index] is None else CharSpan(*encoding.offsets[index])

    def char_to_token(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The token that holds a character of the first (0) or second (1) text, or None where it was cut off."""
        encoding, index = self._locate(batch_or_char_index, char_index)
        for token, (sequence, (start, end)) in enumerate(zip(encoding.sequence_ids, encoding.offsets, strict=True)):
            if sequence == sequence_index and start <= index < end:
                return token
        return None

    def char_to_word(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The word that holds a character of the first (0) or second (1) text, or None where it was cut off."""
        encoding, _ = self._locate(batch_or_char_index, char_index)
        token = self.char_to_token(batch_or_char_index, char_index, sequence_index)
        return None if token is None else encoding.word_ids[token]

    def word_to_tokens(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> TokenSpan | None:
        """The tokens of a word of the first (0) or second (1) text, or None where it was cut off."""
        encoding, index = self._locate(batch_or_word_index, word_index)
        found = [
            token
            for token, (sequence, word) in enumerate(zip(encoding.sequence_ids, encoding.word_ids, strict=True))
            if sequence == sequence_index and word == index
        ]
        return TokenSpan(found[0], found[-1] + 1) if found else None

    def word_to_chars(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> CharSpan | None:
        """The characters of a word of the first (0) or second (1) text, or None where it was cut off."""
        encoding, _ = self._locate(batch_or_word_index, word_index)
        tokens = self.word_to_tokens(batch_or_word_index, word_index, sequence_index)
        if tokens is None:
            return None
        return CharSpan(encoding.offsets[tokens.start][0], encoding.offsets[tokens.end - 1][1])

    def _locate(self, first: int, second: int | None) -> tuple[Encoding, int]:
        """The row and the index within it, of a method's two numbers or of its only one."""
        return (self.encodings[0], first) if second is None else (self.encodings[first], second)


def build_batch_encoding(
    pairs: Sequence[TokenizedPair],
    windows: Sequence[Sequence[Encoding]],
    options: EncodingOptions,
    padding: Padding | None,
    pad_token: SpecialToken,
    is_batch: bool,
    alignments: Sequence[Encoding] | Callable[[], Sequence[Encoding]] | None,
) -> BatchEncoding:
    """What a call answers: the columns that `options` ask for, of the `windows` of every text or pair of `pairs`.

    A single text, with `is_batch` false, has one window, and columns without a batch axis. `alignments` are the
    encodings of the BatchEncoding. Notes in every Encoding how far it is padded.
    """
    encodings = [encoding for group in windows for encoding in group]
    data = columns.from_encodings(encodings, options)
    if padding:
        lengths = [len(encoding) for encoding in encodings]
        data = columns.pad(data, pad_token[0], padding)
        for encoding, length, ids in zip(encodings, lengths, data["input_ids"], strict=True):
            encoding.pad(len(ids) - length, padding.side, pad_token)
    if options.return_attention_mask is False:
        del data["attention_mask"]
    if options.return_length:
        data["length"] = [len(ids) for ids in data["input_ids"]]
    if options.return_overflowing_tokens:
        data["overflow_to_sample_mapping"] = [index for index, group in enumerate(windows) for _ in group]
    truncated = [
        columns.count_truncated(first, [window.first for window in group])
        + columns.count_truncated(second, [window.second for window in group])
        for (first, second), group in zip(pairs, windows, strict=True)
    ]
    if not is_batch:
        data = {name: column[0] for name, column in data.items()}
    answer = BatchEncoding(data, alignments, truncated)
    return answer.convert_to_tensors(options.return_tensors, prepend_batch_axis=not is_batch)
