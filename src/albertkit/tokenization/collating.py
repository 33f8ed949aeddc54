"""Rows that were encoded before, put together into one batch of one length: what a data loader wants of a tokenizer."""

from collections.abc import Mapping, Sequence

from albertkit.errors import InputError, WrongType, abbreviate
from albertkit.tokenization import columns
from albertkit.tokenization.batch_encoding import BatchEncoding
from albertkit.tokenization.columns import Column
from albertkit.tokenization.options import EncodingOptions, Padding


def pad(
    encoded: Mapping[str, Column] | Sequence[Mapping[str, Column]],
    options: EncodingOptions,
    padding: Padding | None,
    pad_id: int,
    ids: str,
) -> BatchEncoding:
    """Pad encoded inputs; see AlbertTokenizerBase.pad. `ids` is the name of the column of ids."""
    given = _by_column(encoded, ids)
    tensors = options.return_tensors or columns.framework_of(given[ids])
    data = {name: columns.to_lists(column) for name, column in given.items()}
    single = bool(data[ids]) and isinstance(data[ids][0], int)
    if single:
        data = {name: [column] for name, column in data.items()}
    if options.return_attention_mask:
        data.setdefault("attention_mask", [[1] * len(row) for row in data[ids]])
    if padding:
        data = columns.pad(data, pad_id, padding, ids, add_mask=False)
    if single:
        data = {name: column[0] for name, column in data.items()}
    return BatchEncoding(data).convert_to_tensors(tensors, prepend_batch_axis=single and bool(options.return_tensors))


def _by_column(encoded: Mapping[str, Column] | Sequence[Mapping[str, Column]], ids: str) -> Mapping[str, Column]:
    """Encoded inputs as one mapping of columns. InputError where they lack ids, or differ in their columns."""
    if isinstance(encoded, (list, tuple)) and all(isinstance(row, Mapping) for row in encoded):
        names = list(encoded[0]) if encoded else []
        for number, row in enumerate(encoded):
            if set(row) != set(names):
                raise InputError(
                    f"Inputs that are padded together must have the same columns. Received: {', '.join(names)}, and "
                    f"for input {number} {', '.join(row)}. Take out what not all of them have."
                )
        encoded = {name: [row[name] for row in encoded] for name in names}
    if not isinstance(encoded, Mapping):
        raise WrongType(f"What is padded is an encoding or a list of encodings. Received: {abbreviate(encoded, 80)}.")
    if ids not in encoded:
        raise InputError(
            f"Padding needs encodings, which have `{ids}`. Received: {', '.join(map(str, encoded)) or 'nothing'}. Pass "
            "what the tokenizer returned."
        )
    return encoded
