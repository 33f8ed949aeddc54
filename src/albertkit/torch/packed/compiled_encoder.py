"""The encoder over sequences laid end to end by the compiled library; see `albertkit.kernels`.

Letters: T tokens, P tokens that are wanted, E embedding size, H hidden size.
"""

import numpy as np
import torch
from torch import Tensor, nn

from albertkit.backends import InferPrecision
from albertkit.config import AlbertConfig
from albertkit.kernels.encoder import CompiledEncoder
from albertkit.outputs import BaseModelOutput
from albertkit.quantization import Quantization
from albertkit.torch.encoder import AlbertTransformer
from albertkit.torch.packed_sequences import AttentionBias, PackedSequences


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
        weights = dict(encoder.named_parameters())
        self._compiled = CompiledEncoder(
            config, lambda name: weights[name].detach().float().numpy(), precision, quantization
        )

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
