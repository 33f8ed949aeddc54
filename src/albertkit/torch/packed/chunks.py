"""The pieces of packed sequences that go through all layers together.

Letters: S sequences, T tokens, P tokens that are wanted.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from albertkit.torch.packed_sequences import PackedSequences

CHUNK = 1024
"""Tokens that go through all layers together: their states and the shared weights stay in the last-level cache."""

Groups = Sequence[tuple[int, int]]
"""(number of sequences, their length) for each run of sequences of one length, as in PackedSequences."""


class Offsets(NamedTuple):
    """Where sequences begin, on the device that computes."""

    places: Tensor
    """(S + 1,) int32: the first token of each sequence, and behind it the number of all tokens."""
    longest: int


@functools.lru_cache(maxsize=4)  # every layer asks for those of the same sequences
def offsets_of(groups: tuple[tuple[int, int], ...], device: torch.device) -> Offsets:
    """Where sequences of these groups begin."""
    lengths = [length for count, length in groups for _ in range(count)]
    places = torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32)
    return Offsets(places.to(device), max(lengths))


class Chunk(NamedTuple):
    """Some of the sequences that are packed."""

    start: int
    stop: int
    """Their tokens."""
    groups: Groups
    positions: Tensor | None
    """(P,) the tokens that are wanted, from the chunk's first on; None for all."""
    is_first_token: bool
    """Whether these are the first tokens of all sequences: attention is computed for no others then."""
    offsets: Offsets | None = None
    """Where the sequences begin, where that is known on the device that computes."""

    def whole(self) -> "Chunk":
        """The same with all tokens wanted."""
        return self._replace(positions=None, is_first_token=False)


def split_into_chunks(sequences: PackedSequences) -> Iterator[Chunk]:
    """Sequences in their order, as many at a time as have CHUNK tokens, or one that has more."""
    start, size = 0, 0
    groups: list[tuple[int, int]] = []
    for count, length in sequences.groups:
        while count:
            room = max((CHUNK - size) // length, 0 if size else 1)
            if not room:
                yield _chunk(sequences, start, groups)
                start, size, groups = start + size, 0, []
                continue
            taken = min(room, count)
            groups.append((taken, length))
            size, count = size + taken * length, count - taken
    if groups:
        yield _chunk(sequences, start, groups)


def _chunk(sequences: PackedSequences, start: int, groups: Groups) -> Chunk:
    stop = start + sum(count * length for count, length in groups)
    positions = sequences.positions
    if positions is not None:
        low, high = torch.searchsorted(positions, torch.tensor([start, stop])).tolist()
        positions = positions[low:high] - start
    return Chunk(start, stop, groups, positions, sequences.is_first_token)
