"""Sequences end to end in place of padded rows, in PyTorch: nothing is computed for padding.

Letters: B rows, L places of a row, T tokens, P tokens that are wanted, H hidden size, N heads, D width of a head.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from albertkit import rules


@dataclass(frozen=True)
class PackedSequences:
    """How T tokens of many sequences lie end to end, none of them padding: what attention needs in place of a mask.

    `groups`: (number of sequences, their length) for each run of sequences of one length, in the order of the tokens.
    `positions` (P,) integer: the tokens whose last hidden state is wanted, where not all are. `is_first_token`: these
    are the first ones of all sequences, in their order, so that attention is computed for no others.
    """

    groups: tuple[tuple[int, int], ...]
    positions: Tensor | None = None
    is_first_token: bool = False

    def select(self, x: Tensor) -> Tensor:
        """(1, T, H) -> (1, P, H), the tokens that are wanted."""
        return x if self.positions is None else x[:, self.positions]

    def split(self, x: Tensor) -> list[Tensor]:
        """(1, T, N, D) -> for each group (sequences, N, length, D); of first tokens alone (sequences, N, 1, D)."""
        is_whole = x.shape[1] == sum(count * length for count, length in self.groups)
        groups = [(count, length if is_whole else 1) for count, length in self.groups]
        runs = x[0].split([count * length for count, length in groups])
        return [run.unflatten(0, group).transpose(1, 2) for run, group in zip(runs, groups, strict=True)]

    def join(self, parts: list[Tensor]) -> Tensor:
        """What `split` gave, or what is like it -> (1, N, T or P, D)."""
        return torch.cat([part.transpose(1, 2).flatten(0, 1) for part in parts])[None].transpose(1, 2)

    def for_layer(self, is_last: bool) -> Self:
        """What a layer is given: the next one attends to all tokens, so that only the last can leave any out."""
        return self if is_last else replace(self, positions=None, is_first_token=False)


AttentionBias = Tensor | PackedSequences | None
"""What is added to attention scores, broadcasting to (B, N, L, L), or how sequences are packed; None for neither."""


def bias_for_layer(bias: AttentionBias, is_last: bool) -> AttentionBias:
    """The attention bias of one of several layers; see `PackedSequences.for_layer`."""
    return bias.for_layer(is_last) if isinstance(bias, PackedSequences) else bias


@dataclass(frozen=True)
class Unpadded:
    """Where the tokens of padded rows (B, L) lie when they are packed, rows of one length side by side."""

    shape: tuple[int, int]
    tokens: Tensor | None
    """(T,) the packed tokens as places of the rows, read one row after the other. None where all places hold one, in
    their order, as those of one text alone: that is answered in milliseconds, of which each step takes some."""
    starts: Tensor
    """(B,) the packed place of each row's first token."""
    groups: tuple[tuple[int, int], ...]
    """As in PackedSequences."""

    @classmethod
    def of(cls, input_ids: Tensor | None, inputs_embeds: Tensor | None, mask: Tensor | None) -> Self | None:
        """Of ids (B, L) or embeddings (B, L, E), and a mask (B, L) that is 1 for a token and 0 for none.

        None where they cannot be packed: each row must begin with a token, whose state is pooled, and the mask not be
        one for each pair of tokens. InputError for a mask of another shape.
        """
        given = inputs_embeds if input_ids is None else input_ids
        if given is None or given.dim() < 2 or not given.numel():
            return None  # an error, which is the embeddings' to raise
        rows, length = given.shape[:2]
        if mask is None:
            return cls.whole(rows, length, given.device)
        rules.require_mask(tuple(mask.shape), rows, length)
        return cls.of_mask(mask) if mask.dim() == 2 and bool((mask[:, 0] != 0).all()) else None

    @classmethod
    def whole(cls, rows: int, length: int, device: torch.device) -> Self:
        """Of rows without padding."""
        starts = torch.arange(0, rows * length, length, device=device)
        return cls((rows, length), None, starts, ((rows, length),))

    @classmethod
    def of_mask(cls, mask: Tensor) -> Self:
        """Of a mask (B, L) as in `of`, with a token in each row."""
        is_token = mask != 0
        if bool(is_token.all()):
            return cls.whole(mask.shape[0], mask.shape[1], mask.device)
        lengths, order = is_token.sum(1).sort(descending=True, stable=True)
        sizes, counts = (found.tolist() for found in torch.unique_consecutive(lengths, return_counts=True))
        places = torch.arange(mask.numel(), device=mask.device).view(mask.shape)
        starts = torch.empty_like(order)
        starts[order] = lengths.cumsum(0) - lengths
        groups = tuple(zip(counts, sizes, strict=True))
        return cls((mask.shape[0], mask.shape[1]), places[order][is_token[order]], starts, groups)

    def pack(self, x: Tensor) -> Tensor:
        """Padded rows (B, L, ...) -> their tokens (1, T, ...)."""
        flat = x.flatten(0, 1)
        return (flat if self.tokens is None else flat[self.tokens])[None]

    def unpack(self, x: Tensor) -> Tensor:
        """(1, T, ...) -> (B, L, ...), 0 where there is no token."""
        if self.tokens is None:
            return x[0].unflatten(0, self.shape)
        rows = x.new_zeros((self.shape[0] * self.shape[1], *x.shape[2:]))
        return rows.index_copy(0, self.tokens, x[0]).unflatten(0, self.shape)

    def places_of(self, rows: Tensor, columns: Tensor) -> Tensor:
        """(P,) rows and (P,) columns of tokens -> (P,) their packed places."""
        places = rows * self.shape[1] + columns
        if self.tokens is None:
            return places
        packed = torch.zeros(self.shape[0] * self.shape[1], dtype=torch.int64, device=self.tokens.device)
        packed[self.tokens] = torch.arange(len(self.tokens), device=self.tokens.device)
        return packed[places]

    def sequences(self, is_first_token: bool) -> PackedSequences:
        """For the encoder: all states, or those of the first token of each row, then in the order of packing."""
        if not is_first_token:
            return PackedSequences(self.groups)
        firsts = self.starts if self.tokens is None else self.starts.sort().values
        return PackedSequences(self.groups, firsts, is_first_token)

    def in_order_of_rows(self, firsts: Tensor) -> Tensor:
        """(1, B, H) states of first tokens in the order of packing -> (B, H), row after row."""
        return firsts[0] if self.tokens is None else firsts[0, self.starts.argsort().argsort()]
