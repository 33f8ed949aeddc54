"""Embeddings and encoder over sequences laid end to end by the compiled library; see `albertkit.kernels`.

Letters: T tokens, P tokens that are wanted, E embedding size, H hidden size.
"""

import numpy as np
import torch
from torch import Tensor, nn

from albertkit.backends import InferPrecision
from albertkit.config import AlbertConfig
from albertkit.kernels.dense import dense
from albertkit.kernels.encoder import CompiledEmbeddings, CompiledEncoder, Weight
from albertkit.quantization import Quantization
from albertkit.torch.encoder import AlbertTransformer
from albertkit.torch.layers import AlbertEmbeddings
from albertkit.torch.packed.packed_encoder import EncoderOfPacked
from albertkit.torch.packed_sequences import PackedSequences


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
        if input_ids is None or position_ids is None:
            return self.embeddings(input_ids, token_type_ids, position_ids, inputs_embeds)
        given = [input_ids, input_ids if token_type_ids is None else token_type_ids, position_ids]
        if any(ids.shape != input_ids.shape for ids in given):
            return self.embeddings(input_ids, token_type_ids, position_ids, inputs_embeds)
        words, types, positions = (ids.numpy().reshape(-1) for ids in given)
        found = self._compiled(words, None if token_type_ids is None else types, positions)
        return torch.from_numpy(found).unflatten(0, input_ids.shape)


class CompiledPooler(nn.Module):
    """Takes the place of a model's pooler and of the tanh behind it."""

    def __init__(self, pooler: nn.Linear) -> None:
        super().__init__()
        self.pooler = pooler

    def forward(self, states: Tensor) -> Tensor:
        """(..., H) float32 -> (..., H)."""
        weight, bias = self.pooler.weight.numpy(), self.pooler.bias.numpy()
        return torch.from_numpy(dense(weight, bias, states.numpy(), torch.get_num_threads(), has_tanh=True))


class CompiledPackedEncoder(EncoderOfPacked):
    """The encoder by the compiled library, on as many threads as PyTorch has."""

    def __init__(
        self,
        encoder: AlbertTransformer,
        config: AlbertConfig,
        precision: InferPrecision,
        quantization: Quantization | None,
    ) -> None:
        """Takes what `kernels.encoder.can_run` says yes to."""
        super().__init__(encoder)
        self._compiled = CompiledEncoder(config, _weights(encoder), precision, quantization)

    def encode(self, embeddings: Tensor, sequences: PackedSequences) -> Tensor:
        """See EncoderOfPacked."""
        counts, sizes = np.array(sequences.groups, np.int32).T
        wanted = None if sequences.positions is None else sequences.positions.numpy()
        given = embeddings.float().numpy()
        states = self._compiled(given, np.repeat(sizes, counts), wanted, torch.get_num_threads())
        return torch.from_numpy(states).to(embeddings.dtype)


def _weights(module: nn.Module) -> Weight:
    found = dict(module.named_parameters())
    return lambda name: found[name].detach().float().numpy()
