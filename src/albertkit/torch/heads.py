"""What is more than one layer in the heads of PyTorch: the two of pre-training, and the pooling of sentences.

Letters: B batch, L sequence length, E embedding size, H hidden size, V vocabulary.
"""

import torch
from torch import Tensor, nn

from albertkit.config import AlbertConfig
from albertkit.torch.activations import activation
from albertkit.torch.plain_layers import layer_norm, linear


def pooled(hidden_states: Tensor, mask: Tensor | None, mode: str, special_tokens: bool) -> Tensor:
    """(B, L, H) -> (B, H) float32: mean or maximum over the tokens of each text, or the state of the first, [CLS].

    `mask` (B, L) is 1 for a token and 0 for padding, on either side. Without `special_tokens` the first and the last
    token of a text, [CLS] and [SEP], are left out of mean and maximum; of a text of nothing else both are 0.
    """
    hidden_states = hidden_states.float()
    is_token = torch.ones_like(hidden_states[..., 0], dtype=torch.bool) if mask is None else mask > 0
    place = is_token.cumsum(1) * is_token  # 1 for the first token, 0 for padding
    counted = place == 1 if mode == "cls" else place > 0
    if mode != "cls" and not special_tokens:
        counted = (place > 1) & (place < place.amax(1, keepdim=True))
    if mode == "max":
        largest = hidden_states.masked_fill(~counted[..., None], torch.finfo(torch.float32).min).amax(1)
        return largest.masked_fill(~counted.any(1, keepdim=True), 0)
    return (hidden_states * counted[..., None]).sum(1) / counted.sum(1, keepdim=True).clamp(min=1)


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
