"""The encoder over sequences laid end to end, a piece that stays in the cache at a time, in one of three precisions.

Letters: T tokens, P tokens that are wanted, E embedding size, H hidden size, N heads, D width of a head.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from albertkit.config import AlbertConfig
from albertkit.outputs import BaseModelOutput
from albertkit.quantization import MAPPING, SITES
from albertkit.torch.encoder import AlbertTransformer
from albertkit.torch.layers import AlbertLayer, AlbertLayerGroup
from albertkit.torch.packed.attention import Attend, attend
from albertkit.torch.packed.chunks import Chunk, split_into_chunks
from albertkit.torch.packed.products import MakeProduct
from albertkit.torch.packed_sequences import AttentionBias, PackedSequences


class EncoderOfPacked(nn.Module, ABC):
    """Takes the place of a model's encoder for packed sequences; anything else goes through the encoder itself.

    Without dropout and without gradients.
    """

    def __init__(self, encoder: AlbertTransformer) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(
        self,
        embeddings: Tensor,
        attention_bias: AttentionBias = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
    ) -> BaseModelOutput:
        """See AlbertTransformer; with PackedSequences (1, T, E) -> last_hidden_state (1, P, H), of the same dtype."""
        if not isinstance(attention_bias, PackedSequences):
            return self.encoder(embeddings, attention_bias, head_mask, output_attentions, output_hidden_states)
        return BaseModelOutput(self.encode(embeddings[0], attention_bias)[None])

    @abstractmethod
    def encode(self, embeddings: Tensor, sequences: PackedSequences) -> Tensor:
        """(T, E) -> the last hidden states (P, H) of what is wanted, of the same dtype."""


class PackedEncoder(EncoderOfPacked):
    """The encoder by PyTorch's products. The weights of a layer are packed once, however often it runs."""

    def __init__(
        self, encoder: AlbertTransformer, config: AlbertConfig, make: MakeProduct, attend: Attend = attend
    ) -> None:
        """`make` decides in which precision products are computed."""
        super().__init__(encoder)
        self.heads = config.num_attention_heads
        mapping = encoder.embedding_hidden_mapping_in
        self.mapping = make(MAPPING, mapping.weight, mapping.bias)
        groups = [
            [Layer(cast("AlbertLayer", layer), make, attend) for layer in cast("AlbertLayerGroup", group).albert_layers]
            for group in encoder.albert_layer_groups
        ]
        self.runs = [layer for group in encoder.group_of_layer for layer in groups[group]]

    def encode(self, embeddings: Tensor, sequences: PackedSequences) -> Tensor:
        """See EncoderOfPacked."""
        return torch.cat([self._run(embeddings[one.start : one.stop], one) for one in self._chunks(sequences)])

    def _chunks(self, sequences: PackedSequences) -> Iterable[Chunk]:
        """What goes through all layers together."""
        return split_into_chunks(sequences)

    def _run(self, embeddings: Tensor, chunk: Chunk) -> Tensor:
        """(T, E) of one chunk through all layers -> (P, H)."""
        states = self.mapped(embeddings)
        for run, layer in enumerate(self.runs):
            wanted = chunk if run == len(self.runs) - 1 else chunk.whole()
            states = layer(states, wanted, self.heads, run)
        return states.to(embeddings.dtype)

    def mapped(self, embeddings: Tensor) -> Tensor:
        """(T, E) -> the states (T, H) that the first layer is given."""
        return self.mapping(self.mapping.prepare(embeddings, 0))


class Layer:
    """One layer of the encoder, whose weights serve every run of it."""

    def __init__(self, layer: AlbertLayer, make: MakeProduct, attend: Attend) -> None:
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
        self.attend = attend
        self.finish = self.uncompiled

    def __call__(self, states: Tensor, chunk: Chunk, heads: int, run: int, key_value: Tensor | None = None) -> Tensor:
        """(T, H) -> (P, H), in the run of that number of all runs of layers.

        `key_value` is what `keys_and_values` gives for the same states, where it is known already.
        """
        context = self._attended(states, chunk, heads, run, key_value)
        if chunk.positions is not None:  # from here on a token is by itself
            context = context if chunk.is_first_token else context[chunk.positions]
            states = states[chunk.positions]
        return self.finish(context, states, run)

    def uncompiled(self, context: Tensor, states: Tensor, run: int) -> Tensor:
        """What follows attention, for each token by itself: (P, H) of what it attended to and what it was before."""
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
            return self.attend(query, key, value, chunk, heads)
        key, value = (self.keys_and_values(states, run) if key_value is None else key_value).chunk(2, -1)
        asking = states[chunk.positions] if chunk.is_first_token else states
        query = self.query(self.query.prepare(asking, run))
        return self.attend(query, key, value, chunk, heads)


def _norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    return functional.layer_norm(x.to(norm.weight.dtype), norm.normalized_shape, norm.weight, norm.bias, norm.eps).to(
        x.dtype
    )
