"""What a backend computes on: padded rows of token ids, such rows with positions that are asked for, pre-training rows.

NumPy only, and no given array is changed. Letters: B rows, L places of a row, M masked pieces, S sequences, P positions
that are asked for, T tokens.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from albertkit.arrays import bucket, grow, pad
from albertkit.config import AlbertConfig
from albertkit.rules import IGNORED, require_ids, require_length
from albertkit.typing import Json


@dataclass(frozen=True)
class PaddedBatch:
    """Rows padded to one length, by the names of a model's arguments. Integers are int64."""

    input_ids: np.ndarray
    """(B, L), of multiple choice (B, C, L) with C choices."""
    token_type_ids: np.ndarray | None = None
    attention_mask: np.ndarray | None = None
    """1 for a token and 0 for padding, shaped as the ids; (B, L, L) or (B, N, L, L) for each pair of tokens."""
    position_ids: np.ndarray | None = None
    labels: np.ndarray | None = None
    """(B,) classes or numbers, (B, C) zeros and ones, or (B, L) classes with -100 where none counts."""
    sentence_order_label: np.ndarray | None = None
    """(B,) 0 or 1."""
    start_positions: np.ndarray | None = None
    """(B,) where answers begin; `end_positions` where they end."""
    end_positions: np.ndarray | None = None
    class_targets: np.ndarray | None = None
    """(B, C) or, of tokens, (B, L, C) float32: what the log probability of each class counts in a training step, where
    that is not 1 for the label and 0 for the others; see `with_class_targets`. An evaluation goes by `labels` alone."""
    label_weights: np.ndarray | None = None
    """(B,) or (B, L) float32, what each label counts in the mean of that loss; there if `class_targets` are."""

    @classmethod
    def of_rows(
        cls,
        input_ids: Sequence[Sequence[int]],
        token_type_ids: Sequence[Sequence[int]],
        pad_id: int,
        **others: np.ndarray | None,
    ) -> Self:
        """Rows of different length, padded on the right. The mask is left out where no row is padded.

        Rows of choices, all of one number C, become (B, C, L).
        """
        if len(input_ids) and len(input_ids[0]) and not isinstance(input_ids[0][0], int | np.integer):
            return cls._of_choices(input_ids, token_type_ids, pad_id, others)
        lengths = np.fromiter(map(len, input_ids), np.int64)
        mask = None
        if lengths.size and lengths.min() < lengths.max():
            mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        return cls(pad(input_ids, pad_id), pad(token_type_ids, 0), mask, **others)

    @classmethod
    def _of_choices(
        cls, input_ids: Sequence[Json], token_type_ids: Sequence[Json], pad_id: int, others: Mapping[str, Json]
    ) -> Self:
        flat = cls.of_rows(
            [choice for row in input_ids for choice in row],
            [choice for row in token_type_ids for choice in row],
            pad_id,
        )
        shape = (len(input_ids), len(input_ids[0]), -1)
        arrays = {name: array.reshape(shape) for name, array in flat.arguments().items()}
        return cls(**arrays, **others)

    def arguments(self, for_training: bool = False) -> dict[str, np.ndarray]:
        """What a model is called with: the arrays that are there, but for what training alone counts.

        For a step of training `class_targets`, where there are some, stand in the place of `labels`.
        """
        found = {field.name: getattr(self, field.name) for field in dataclasses.fields(PaddedBatch)}
        by_targets = for_training and self.class_targets is not None
        left_out = {"label_weights", "labels" if by_targets else "class_targets"}
        return {name: array for name, array in found.items() if array is not None and name not in left_out}

    @property
    def tokens(self) -> int:
        """How many places hold a token."""
        return self.input_ids.size if self.attention_mask is None else int(np.count_nonzero(self.attention_mask))

    def items(self) -> dict[str, float]:
        """Of how many items the loss is the mean: tokens with a class where each has one, otherwise rows.

        Of labels with weights the sum of these.
        """
        labels = self.labels
        if self.label_weights is not None:
            return {"loss": float(self.label_weights.sum())}
        if labels is not None and labels.shape == self.input_ids.shape and labels.dtype.kind in "iu":
            return {"loss": int((labels != IGNORED).sum())}
        return {"loss": len(self.input_ids)}

    def summed_loss(self, outputs: Mapping[str, np.ndarray]) -> tuple[float, float]:
        """The `loss` of outputs added up over its items, and their number."""
        items = self.items()["loss"]
        return (float(outputs["loss"]) * items if items else 0.0), items  # the mean over nothing is no number

    def split(
        self, outputs: Mapping[str, np.ndarray], lengths: Sequence[int], per_token: Collection[str]
    ) -> Iterator[dict[str, np.ndarray]]:
        """Outputs but for the loss as those of each row; see `split_rows`."""
        return split_rows({name: values for name, values in outputs.items() if name != "loss"}, lengths, per_token)

    def with_class_targets(self, classes: int, smoothing: float = 0.0, weights: np.ndarray | None = None) -> Self:
        """The same with `class_targets`, made of labels that are one class each, of so many or of the row's choices.

        A share `smoothing` of each label is spread over all C classes alike, and class c weighs `weights`[c], by
        default 1: the target of c is weights[c] * (smoothing / C + (1 - smoothing) where c is the label), and the loss
        is the sum over items divided by that of the weights of their labels, as in PyTorch's `cross_entropy`. Labels of
        -100 count for nothing.
        """
        labels = np.asarray(self.labels)
        count = self.input_ids.shape[1] if self.input_ids.ndim > labels.ndim + 1 else classes
        weights = np.ones(count, np.float32) if weights is None else weights.astype(np.float32)
        is_counted = labels != IGNORED
        known = np.where(is_counted, labels, 0)
        shares = np.full((count, count), smoothing / count, np.float32) + np.eye(count, dtype=np.float32) * (
            1 - smoothing
        )
        targets = (shares * weights)[known] * is_counted[..., None]
        return dataclasses.replace(self, class_targets=targets, label_weights=weights[known] * is_counted)

    def every(self, start: int, step: int) -> Self:
        """The rows from `start` on, one in `step`, as a batch of their own."""
        arrays = {field.name: getattr(self, field.name) for field in dataclasses.fields(PaddedBatch)}
        taken = {name: array[start::step] for name, array in arrays.items() if array is not None}
        return dataclasses.replace(self, **taken)

    def repeat_last_row(self, rows: int) -> Self:
        """The same with the last row once more until there are so many."""
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(PaddedBatch)}
        added = rows - len(self.input_ids)
        repeated = {
            name: np.pad(array, [(0, added), *[(0, 0)] * (array.ndim - 1)], "edge")
            for name, array in given.items()
            if array is not None
        }
        return dataclasses.replace(self, **repeated)

    def pad(self, longest: int, pad_id: int = 0) -> Self:
        """The same with L rounded up by `arrays.bucket`, but not beyond `longest`, by places that are masked out.

        Ids grow by `pad_id`, types and positions by 0, labels of tokens by -100, and so does the attention mask by 0,
        which is made where there is none, so that all batches of a shape look alike. What is spread over the places,
        such as the chances of an answer's start, must leave the new ones out itself.
        """
        shape: tuple[int, ...] = self.input_ids.shape
        added = max(min(bucket(shape[-1]), longest) - shape[-1], 0)
        mask = np.ones(shape, np.int64) if self.attention_mask is None else self.attention_mask
        grown = grow(mask, added, 0)
        if mask.ndim > 2 and mask.shape != shape and mask.shape[-2] == shape[-1]:  # (B, L, L) or (B, N, L, L)
            grown = grow(grown.swapaxes(-1, -2), added, 0).swapaxes(-1, -2)
        types, positions, labels = self.token_type_ids, self.position_ids, self.labels
        targets, label_weights = self.class_targets, self.label_weights
        if labels is not None and labels.shape == shape and labels.dtype.kind in "iu":
            labels = grow(labels, added, IGNORED)
            targets = None if targets is None else grow(targets.swapaxes(1, 2), added, 0).swapaxes(1, 2)
            label_weights = None if label_weights is None else grow(label_weights, added, 0)
        if types is not None and types.shape == shape:
            types = grow(types, added, 0)
        return dataclasses.replace(
            self,
            input_ids=grow(self.input_ids, added, pad_id),
            attention_mask=grown,
            token_type_ids=types,
            position_ids=None if positions is None else grow(positions, added, 0),
            labels=labels,
            class_targets=targets,
            label_weights=label_weights,
        )


def shares(batches: Sequence[PaddedBatch], count: int) -> list[list[PaddedBatch]] | None:
    """The batches of a step dealt to `count` who compute it together: of each batch everyone gets some rows.

    None where someone would get a part in which nothing counts, whose mean loss is no number, or where the loss of a
    row depends on the others, as without labels. Then each is to compute the whole step, which has the same mean.
    """
    if any(batch.labels is None and batch.start_positions is None for batch in batches):
        return None
    dealt = [[batch.every(number, count) for batch in batches] for number in range(count)]
    is_fair = all(batch.items()["loss"] for part in dealt for batch in part)
    return dealt if is_fair else None


@dataclass(frozen=True)
class MaskedBatch(PaddedBatch):
    """Rows of which only some places are asked for: scores over the vocabulary are computed there and nowhere else."""

    positions: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 2), np.int64))
    """(P, 2) row and column of each."""


@dataclass(frozen=True)
class PretrainingBatch:
    """Rows of pre-training, each of several sequences end to end, of which none sees another. All arrays are int32."""

    input_ids: np.ndarray
    """(B, L)"""
    token_type_ids: np.ndarray
    """(B, L)"""
    position_ids: np.ndarray
    """(B, L), from 0 in each sequence."""
    sequence: np.ndarray
    """(B, L), the number of the sequence within its row, from 1; 0 where there is no token."""
    mlm_positions: np.ndarray
    """(M,), the masked places of `input_ids` read row after row, ascending."""
    mlm_labels: np.ndarray
    """(M,), what stood there; -100 counts for no loss."""
    cls_positions: np.ndarray
    """(S,), the places of [CLS], counted so too."""
    sop_labels: np.ndarray | None = None
    """(S,), 0 where the second text follows the first, 1 where it does not, -100 where that is not asked."""

    @classmethod
    def of_rows(
        cls,
        input_ids: Sequence[Json],
        token_type_ids: Sequence[Json],
        labels: Sequence[Json] | np.ndarray,
        pad_id: int,
    ) -> "PretrainingBatch":
        """Rows of one sequence each and of different length, padded on the right to a length of `arrays.bucket`.

        `labels` are -100 where nothing is predicted. The order of texts is not asked for.
        """
        lengths = np.fromiter(map(len, input_ids), np.int64)
        length = bucket(int(lengths.max()))
        places = np.arange(length, dtype=np.int32)
        is_token = places < lengths[:, None]
        ids, types, targets = (
            grow(pad(list(rows), filling), length - int(lengths.max()), filling).astype(np.int32)
            for rows, filling in ((input_ids, pad_id), (token_type_ids, 0), (labels, IGNORED))
        )
        masked = np.flatnonzero(targets != IGNORED).astype(np.int32)
        return cls(
            ids,
            types,
            position_ids=np.where(is_token, places, 0),
            sequence=is_token.astype(np.int32),
            mlm_positions=masked,
            mlm_labels=targets.ravel()[masked],
            cls_positions=np.arange(len(lengths), dtype=np.int32) * length,
        )

    def summed_loss(self, outputs: Mapping[str, np.ndarray]) -> tuple[float, float]:
        """The losses of the masked pieces added up, and their number."""
        return float(outputs["mlm_losses"].sum(dtype=np.float64)), self.items()["mlm"]

    def split(
        self, outputs: Mapping[str, np.ndarray], lengths: Sequence[int], per_token: Collection[str]
    ) -> Iterator[dict[str, np.ndarray]]:
        """What was said of each masked piece (M,), as that of each row, whatever its length is."""
        rows, length = self.sequence.shape
        bounds = np.searchsorted(self.mlm_positions, np.arange(1, rows) * length)
        parts = {name: np.split(values, bounds) for name, values in outputs.items() if name.startswith("mlm_")}
        for row in range(rows):
            yield {name: part[row] for name, part in parts.items()}

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays that are there, by name."""
        return {name: array for name, array in vars(self).items() if array is not None}

    @property
    def tokens(self) -> int:
        """How many places hold a token."""
        return int(np.count_nonzero(self.sequence))

    def items(self) -> dict[str, float]:
        """Of how many items each loss is the mean: masked pieces, and sequences whose order is asked."""
        labels = {"mlm": self.mlm_labels, "sop": self.sop_labels}
        return {name: int((array != IGNORED).sum()) for name, array in labels.items() if array is not None}

    def rows(self, start: int, stop: int) -> "PretrainingBatch":
        """Some rows as a batch of their own, with what is masked and begins in them."""
        length = self.sequence.shape[1]
        bounds = start * length, stop * length
        masked = slice(*np.searchsorted(self.mlm_positions, bounds))
        begun = slice(*np.searchsorted(self.cls_positions, bounds))
        return PretrainingBatch(
            **{name: array[start:stop] for name, array in self._places().items()},
            mlm_positions=self.mlm_positions[masked] - np.int32(start * length),
            mlm_labels=self.mlm_labels[masked],
            cls_positions=self.cls_positions[begun] - np.int32(start * length),
            sop_labels=None if self.sop_labels is None else self.sop_labels[begun],
        )

    def pad(self, rows: int, masked: int, sequences: int, pad_id: int = 0) -> "PretrainingBatch":
        """The same with so many rows, masked pieces and sequences, the new ones empty.

        Empty rows hold `pad_id` in no sequence; empty items stand at place 0 with the label -100, which no loss counts.
        """
        fillings = {"input_ids": pad_id}
        return PretrainingBatch(
            **{name: _of_size(array, rows, fillings.get(name, 0)) for name, array in self._places().items()},
            mlm_positions=_of_size(self.mlm_positions, masked, 0),
            mlm_labels=_of_size(self.mlm_labels, masked, IGNORED),
            cls_positions=_of_size(self.cls_positions, sequences, 0),
            sop_labels=None if self.sop_labels is None else _of_size(self.sop_labels, sequences, IGNORED),
        )

    def without_ignored(self) -> "PretrainingBatch":
        """The same without the masked pieces that count for no loss."""
        is_counted = self.mlm_labels != IGNORED
        kept = {"mlm_positions": self.mlm_positions[is_counted], "mlm_labels": self.mlm_labels[is_counted]}
        return self if is_counted.all() else dataclasses.replace(self, **kept)

    def unpad(self) -> tuple["PretrainingBatch", tuple[tuple[int, int], ...]]:
        """The T tokens end to end as one row (1, T), longest sequences first, and the runs of one length.

        Places that hold no token are left out. `mlm_positions` and `cls_positions` count these tokens, and keep their
        order. Runs are (sequences, length).
        """
        sequence = self.sequence.ravel()
        tokens = np.flatnonzero(sequence)
        is_start = np.zeros(len(sequence), bool)
        is_start[self.cls_positions] = True
        owner = np.cumsum(is_start[tokens]) - 1
        lengths = np.bincount(owner)
        order = np.argsort(-lengths[owner], kind="stable")
        moved = np.zeros(len(sequence), np.int64)
        moved[tokens[order]] = np.arange(len(tokens))
        flat = PretrainingBatch(
            **{name: array.reshape(1, -1)[:, tokens[order]] for name, array in self._places().items()},
            mlm_positions=moved[self.mlm_positions],
            mlm_labels=self.mlm_labels,
            cls_positions=moved[self.cls_positions],
            sop_labels=self.sop_labels,
        )
        sizes, numbers = (found[::-1].tolist() for found in np.unique(lengths, return_counts=True))
        return flat, tuple(zip(numbers, sizes, strict=True))

    def _places(self) -> dict[str, np.ndarray]:
        """The arrays (B, L), by name."""
        return {name: getattr(self, name) for name in ("input_ids", "token_type_ids", "position_ids", "sequence")}


Batch = PaddedBatch | PretrainingBatch
"""What a model is trained and evaluated on."""


def require_valid(config: AlbertConfig, batch: Batch) -> None:
    """TokenIdError for ids outside the vocabulary, InputError for a sequence that is too long.

    For frameworks whose compiled code cannot see either.
    """
    ids, positions = batch.input_ids, batch.position_ids
    length = ids.shape[-1] if positions is None else int(positions.max(initial=-1)) + 1
    require_length(length, config.max_position_embeddings)
    if ids.size:
        require_ids("input_ids", int(ids.min()), int(ids.max()), config.vocab_size)


def trim(outputs: Mapping[str, np.ndarray], length: int) -> dict[str, np.ndarray]:
    """Outputs of a padded batch without the places that were added: those of each token, and an answer's bounds."""
    return {
        name: array[:, :length]
        if (array.ndim == 3 and name != "sentence_embedding") or name in ("start_logits", "end_logits")
        else array
        for name, array in outputs.items()
    }


def split_rows(
    outputs: Mapping[str, np.ndarray], lengths: Sequence[int], per_token: Collection[str]
) -> Iterator[dict[str, np.ndarray]]:
    """Outputs (B, ...) as those of each row; those `per_token` are cut to the row's length."""
    for row, length in enumerate(lengths):
        yield {name: values[row, :length] if name in per_token else values[row] for name, values in outputs.items()}


def pretraining_sizes(rows: int, length: int, masked: int, sequences: int) -> tuple[int, int]:
    """Masked pieces and sequences of a batch of pre-training, rounded up so that nearly all batches have one shape.

    Masked pieces to a multiple of a thirty-second of the places, so that the usual 15 % become five of them; sequences
    to a power of two, and to four a row at least.
    """
    step = max(rows * length // 32, 8)
    return max(-(-masked // step), 1) * step, 2 ** max(sequences - 1, 4 * rows - 1, 1).bit_length()


def _of_size(array: np.ndarray, size: int, filling: int) -> np.ndarray:
    """An array whose first axis has been filled up to `size`."""
    added = [(0, size - len(array)), *[(0, 0)] * (array.ndim - 1)]
    return np.pad(array, added, constant_values=filling)
