"""The two heads of pre-training in PyTorch, which are more than one layer.

Letters: B batch, E embedding size, H hidden size, V vocabulary.
"""

import torch
from torch import Tensor, nn

from albertkit.config import AlbertConfig
from albertkit.torch.activations import activation
from albertkit.torch.plain_layers import layer_norm, linear


class AlbertMLMHead(nn.Module):
    """The masked language model: H -> E, activation, norm, then scores over V with the word embeddings as weight."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.LayerNorm = layer_norm(config.embedding_size, config.layer_norm_eps)
        self.dense = linear(config.hidden_size, config.embedding_size)
        self.decoder = linear(config.embedding_size, config.vocab_size)
        self.activation = activation(config.hidden_act)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """(..., H) -> (..., V)."""
        return self.decoder(self.transform(hidden_states))

    def transform(self, hidden_states: Tensor) -> Tensor:
        """(..., H) -> (..., E), which is compared with the word embeddings."""
        return self.LayerNorm(self.activation(self.dense(hidden_states)))


class AlbertSOPHead(nn.Module):
    """Sentence-order prediction: pooled state -> 2 scores, 0 in order and 1 swapped (arXiv 1909.11942, section 3.1).

    There is no dropout, as in the original release.
    """

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.classifier = linear(config.hidden_size, 2)

    def forward(self, pooled_output: Tensor) -> Tensor:
        """(B, H) -> (B, 2)."""
        return self.classifier(pooled_output)
