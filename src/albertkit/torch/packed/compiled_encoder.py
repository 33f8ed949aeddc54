"""Embeddings and encoder over sequences laid end to end by the compiled library; see `albertkit.kernels`.

Letters: T tokens, P tokens that are wanted, E embedding size, H hidden size.
"""

import numpy as np
import torch
from torch import Tensor, nn

from albertkit import rules
from albertkit.backends import InferPrecision
from albertkit.config import AlbertConfig
from albertkit.kernels.encoder import CompiledEmbeddings, CompiledEncoder, Weight
from albertkit.outputs import BaseModelOutput
from albertkit.quantization import Quantization
from albertkit.torch.encoder import AlbertTransformer
from albertkit.torch.layers import AlbertEmbeddings
from albertkit.torch.packed_sequences import AttentionBias, PackedSequences


class CompiledPackedEmbeddings(nn.Module):
    """Takes the place of a model's embeddings, for ids in float32."""

    def __init__(self, embeddings: AlbertEmbeddings, config: AlbertConfig) -> None:
        super().__init__()
        self.embeddings = embeddings
        self._compiled = CompiledEmbeddings(config, _weights(embeddings))

    def forward(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> Tensor:
        """See AlbertEmbeddings."""
        others = position_ids, input_ids if token_type_ids is None else token_type_ids
        if input_ids is None or any(ids is None or ids.shape != input_ids.shape for ids in others):
            return self.embeddings(input_ids, token_type_ids, position_ids, inputs_embeds)
        own, given = self.embeddings, []
        for name, ids, table in (
            ("input_ids", input_ids, own.word_embeddings),
            ("token_type_ids", token_type_ids, own.token_type_embeddings),
            ("position_ids", position_ids, own.position_embeddings),
        ):
            numbers = None if ids is None else ids.numpy().reshape(-1)
            if numbers is not None and numbers.size:
                rules.require_ids(name, int(numbers.min()), int(numbers.max()), table.num_embeddings)
            given.append(numbers)
        return torch.from_numpy(self._compiled(*given)).unflatten(0, input_ids.shape)


class CompiledPackedEncoder(nn.Module):
    """Takes the place of a model's encoder as PackedEncoder does, on as many threads as PyTorch has."""

    def __init__(
        self,
        encoder: AlbertTransformer,
        config: AlbertConfig,
        precision: InferPrecision,
        quantization: Quantization | None,
    ) -> None:
        """Takes what `kernels.encoder.can_run` says yes to."""
        super().__init__()
        self.encoder = encoder
        self._compiled = CompiledEncoder(config, _weights(encoder), precision, quantization)

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
        counts, sizes = np.array(attention_bias.groups, np.int32).T
        wanted = None if attention_bias.positions is None else attention_bias.positions.numpy()
        given = embeddings[0].float().numpy()
        states = self._compiled(given, np.repeat(sizes, counts), wanted, torch.get_num_threads())
        return BaseModelOutput(torch.from_numpy(states)[None].to(embeddings.dtype))


def _weights(module: nn.Module) -> Weight:
    found = dict(module.named_parameters())
    return lambda name: found[name].detach().float().numpy()
