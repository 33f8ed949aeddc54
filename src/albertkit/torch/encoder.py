"""The encoder of ALBERT in PyTorch: few layer groups, run many times with the same weights.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads.
"""

from typing import Any, Self

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from albertkit.config import AlbertConfig
from albertkit.kernels.training import Memory
from albertkit.outputs import BaseModelOutput
from albertkit.torch import compiled_training
from albertkit.torch.layers import AlbertLayerGroup
from albertkit.torch.packed_sequences import AttentionBias, PackedSequences, bias_for_layer
from albertkit.torch.plain_layers import linear


class AlbertTransformer(nn.Module):
    """The embedding mapped from E to H, then `num_hidden_layers` runs of the layer groups.

    The weights of a group are shared across the layers that run it (arXiv 1909.11942, section 3.1, cross-layer
    parameter sharing); `config.group_of_layer` says which group each layer runs.
    """

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.embedding_hidden_mapping_in = linear(config.embedding_size, config.hidden_size)
        self.albert_layer_groups = nn.ModuleList(AlbertLayerGroup(config) for _ in range(config.num_hidden_groups))
        self.config = config
        self.group_of_layer = config.group_of_layer
        self._memory = Memory()
        self.gradient_checkpointing = config.gradient_checkpointing
        self.gradient_checkpointing_kwargs: dict[str, Any] = {"use_reentrant": False}

    def train(self, mode: bool = True) -> Self:
        """As of any module; memory that steps would use again is let go where training ends."""
        if not mode:
            self._memory = Memory()
        return super().train(mode)

    def forward(
        self,
        embeddings: Tensor,
        attention_bias: AttentionBias = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
    ) -> BaseModelOutput:
        """(B, L, E) -> last_hidden_state (B, L, H), and where asked for those of all layers and the attentions.

        `attention_bias` broadcasts to (B, N, L, L). `head_mask` has an entry a layer, broadcasting to the same.
        """
        if isinstance(attention_bias, PackedSequences) and not (output_attentions or output_hidden_states):
            states = self._compiled(embeddings, attention_bias)
            if states is not None:
                return BaseModelOutput(last_hidden_state=states)
        hidden_states = self.embedding_hidden_mapping_in(embeddings)
        all_hidden_states, attentions = (hidden_states,), ()
        for layer, group in enumerate(self.group_of_layer):
            bias = bias_for_layer(attention_bias, is_last=layer + 1 == len(self.group_of_layer))
            mask = None if head_mask is None else head_mask[layer]
            hidden_states, probabilities = self._run(group, hidden_states, bias, mask, output_attentions)
            attentions += probabilities
            all_hidden_states += (hidden_states,) if output_hidden_states else ()
        return BaseModelOutput(
            last_hidden_state=hidden_states,
            hidden_states=all_hidden_states if output_hidden_states else None,
            attentions=attentions if output_attentions else None,
        )

    def _compiled(self, embeddings: Tensor, sequences: PackedSequences) -> Tensor | None:
        """The last hidden states by the compiled library, where that is there for this encoder as it is now."""
        if self.gradient_checkpointing or not compiled_training.can_train(self, self.config, embeddings):
            return None
        return compiled_training.encode(self, self.config, embeddings, sequences, self._memory)

    def _run(
        self, group: int, hidden_states: Tensor, *arguments: AttentionBias | bool
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One run of a group; in training with `gradient_checkpointing` its activations are not kept."""
        run = self.albert_layer_groups[group]
        if self.gradient_checkpointing and self.training:
            return checkpoint(run, hidden_states, *arguments, **self.gradient_checkpointing_kwargs)
        return run(hidden_states, *arguments)
