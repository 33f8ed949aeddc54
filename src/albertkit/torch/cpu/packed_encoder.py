"""The encoder over sequences laid end to end, a piece that stays in the cache at a time, in one of three precisions.

Letters: T tokens, P tokens that are wanted, E embedding size, H hidden size, N heads, D width of a head.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from albertkit.config import AlbertConfig
from albertkit.outputs import BaseModelOutput
from albertkit.quantization import MAPPING, SITES
from albertkit.torch.cpu.attention import attend
from albertkit.torch.cpu.products import MakeProduct
from albertkit.torch.encoder import AlbertTransformer
from albertkit.torch.layers import AlbertLayer, AlbertLayerGroup
from albertkit.torch.packed_sequences import AttentionBias, PackedSequences

CHUNK = 1024
"""Tokens that go through all layers together: their states and the shared weights stay in the last-level cache."""


class PackedEncoder(nn.Module):
    """Takes the place of a model's encoder for packed sequences; anything else goes through the encoder itself.

    The weights of a layer are packed once, however often it runs. Without dropout and without gradients.
    """

    def __init__(self, encoder: AlbertTransformer, config: AlbertConfig, make: MakeProduct) -> None:
        """`make` decides in which precision products are computed."""
        super().__init__()
        self.encoder, self.heads = encoder, config.num_attention_heads
        mapping = encoder.embedding_hidden_mapping_in
        self.mapping = make(MAPPING, mapping.weight, mapping.bias)
        groups = [
            [_Layer(cast("AlbertLayer", layer), make) for layer in cast("AlbertLayerGroup", group).albert_layers]
            for group in encoder.albert_layer_groups
        ]
        self.runs = [layer for group in encoder.group_of_layer for layer in groups[group]]

    def forward(
        self,
        embeddings: Tensor,
        attention_bias: AttentionBias = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
    ) -> BaseModelOutput:
        """See AlbertTransformer; with PackedSequences (1, T, E) -> last_hidden_state (1, P, H) float32."""
        if not isinstance(attention_bias, PackedSequences):
            return self.encoder(embeddings, attention_bias, head_mask, output_attentions, output_hidden_states)
        chunks = [
            self._run(embeddings[0, chunk.start : chunk.stop], chunk) for chunk in split_into_chunks(attention_bias)
        ]
        return BaseModelOutput(torch.cat(chunks)[None])

    def _run(self, embeddings: Tensor, chunk: "Chunk") -> Tensor:
        """(T, E) of one chunk through all layers -> (P, H) float32."""
        states = self.mapped(embeddings)
        for run, layer in enumerate(self.runs):
            wanted = chunk if run == len(self.runs) - 1 else chunk.whole()
            states = layer(states, wanted, self.heads, run)
        return states.float()

    def mapped(self, embeddings: Tensor) -> Tensor:
        """(T, E) -> the states (T, H) that the first layer is given."""
        return self.mapping(self.mapping.prepare(embeddings, 0))


class Chunk(NamedTuple):
    """Some of the sequences that are packed."""

    start: int
    stop: int
    """Their tokens."""
    groups: Sequence[tuple[int, int]]
    """(number of sequences, their length), as in PackedSequences."""
    positions: Tensor | None
    """(P,) the tokens that are wanted, from the chunk's first on; None for all."""
    is_first_token: bool

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


def _chunk(sequences: PackedSequences, start: int, groups: Sequence[tuple[int, int]]) -> Chunk:
    stop = start + sum(count * length for count, length in groups)
    positions = sequences.positions
    if positions is not None:
        low, high = torch.searchsorted(positions, torch.tensor([start, stop])).tolist()
        positions = positions[low:high] - start
    return Chunk(start, stop, groups, positions, sequences.is_first_token)


class _Layer:
    """One layer of the encoder, whose weights serve every run of it."""

    def __init__(self, layer: AlbertLayer, make: MakeProduct) -> None:
        attention, site = layer.attention, SITES[0]
        three = attention.query, attention.key, attention.value
        width = attention.query.out_features
        weight, bias = torch.cat([one.weight for one in three]), torch.cat([one.bias for one in three])
        self.query_key_value = make(site, weight, bias)
        self.query = make(site, weight[:width], bias[:width])
        self.key_value = make(site, weight[width:], bias[width:])
        self.dense = make("dense", attention.dense.weight, attention.dense.bias)
        self.ffn = make("ffn", layer.ffn.weight, layer.ffn.bias, has_activation=True)
        self.ffn_output = make("ffn_output", layer.ffn_output.weight, layer.ffn_output.bias)
        self.norms = attention.LayerNorm, layer.full_layer_layer_norm

    def __call__(self, states: Tensor, chunk: Chunk, heads: int, run: int, key_value: Tensor | None = None) -> Tensor:
        """(T, H) -> (P, H), in the run of that number of all runs of layers.

        `key_value` is what `keys_and_values` gives for the same states, where it is known already.
        """
        context = self._attended(states, chunk, heads, run, key_value)
        if chunk.positions is not None:  # from here on a token is by itself
            context = context if chunk.is_first_token else context[chunk.positions]
            states = states[chunk.positions]
        attended = _norm(self.dense.add(self.dense.prepare(context, run), states), self.norms[0])
        inner = self.ffn.feed(self.ffn.prepare(attended, run), self.ffn_output, run)
        return _norm(self.ffn_output.add(inner, attended), self.norms[1])

    def keys_and_values(self, states: Tensor, run: int) -> Tensor:
        """(T, H) -> the keys and the values of attention, side by side (T, 2 H)."""
        return self.key_value(self.key_value.prepare(states, run))

    def _attended(self, states: Tensor, chunk: Chunk, heads: int, run: int, key_value: Tensor | None) -> Tensor:
        """(T, H) -> (T, H), of first tokens alone (P, H)."""
        if key_value is None and not chunk.is_first_token:
            query, key, value = self.query_key_value(self.query_key_value.prepare(states, run)).chunk(3, -1)
            return attend(query, key, value, chunk.groups, heads)
        key, value = (self.keys_and_values(states, run) if key_value is None else key_value).chunk(2, -1)
        asking = states[chunk.positions] if chunk.is_first_token else states
        query = self.query(self.query.prepare(asking, run))
        return attend(query, key, value, chunk.groups, heads, only_first=chunk.is_first_token)


def _norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    return functional.layer_norm(x.float(), norm.normalized_shape, norm.weight, norm.bias, norm.eps).to(x.dtype)
