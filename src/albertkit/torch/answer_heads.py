"""The search for an answer in PyTorch: scores of starts, scores of ends given a start, and whether there is none.

Letters: B batch, L sequence length, H hidden size, K starts, M ends for each.
"""

import torch
from torch import Tensor, nn

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.torch.plain_layers import layer_norm, linear


class AlbertStartLogits(nn.Module):
    """A score for an answer's start at each place."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.dense = linear(config.hidden_size, 1)

    def forward(self, hidden_states: Tensor, p_mask: Tensor) -> Tensor:
        """(B, L, H), and (B, L) where no answer can start -> (B, L) float32."""
        return masked(self.dense(hidden_states).squeeze(-1), p_mask)


class AlbertEndLogits(nn.Module):
    """A score for an answer's end at each place, given its start: from both states, dense, tanh, norm, dense."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.dense_0 = linear(2 * config.hidden_size, config.hidden_size)
        self.LayerNorm = layer_norm(config.hidden_size, config.layer_norm_eps)
        self.dense_1 = linear(config.hidden_size, 1)

    def forward(self, hidden_states: Tensor, starts: Tensor, p_mask: Tensor) -> Tensor:
        """(B, L, H), (B, K) places of starts, and (B, L) where no answer can end -> (B, K, L) float32.

        A start outside the sequence counts as its first or last place.
        """
        rows = torch.arange(starts.shape[0], device=starts.device)[:, None]
        begun = hidden_states[rows, starts.clamp(0, hidden_states.shape[1] - 1)]
        pairs = torch.broadcast_tensors(hidden_states[:, None], begun[:, :, None])
        ends = self.LayerNorm(torch.tanh(self.dense_0(torch.cat(pairs, -1))))
        return masked(self.dense_1(ends).squeeze(-1), p_mask[:, None])


class AlbertAnswerClass(nn.Module):
    """The log odds of there being no answer, from the state of [CLS] and the mean state of the likely starts."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.dense_0 = linear(2 * config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(config.head_dropout)
        self.dense_1 = linear(config.hidden_size, 1, use_bias=False)

    def forward(self, hidden_states: Tensor, start_logits: Tensor) -> Tensor:
        """(B, L, H), and the scores of starts (B, L) -> (B,)."""
        chances = start_logits.softmax(-1).to(hidden_states.dtype)
        begun = torch.einsum("bl,blh->bh", chances, hidden_states)
        states = torch.tanh(self.dense_0(torch.cat([begun, hidden_states[:, 0]], -1)))
        return self.dense_1(self.dropout(states)).squeeze(-1)


def masked(logits: Tensor, p_mask: Tensor) -> Tensor:
    """Scores in float32, next to none where `p_mask` is true."""
    return logits.float().masked_fill(p_mask, rules.NO_SCORE)


def answer_mask(
    p_mask: Tensor | None, token_type_ids: Tensor | None, attention_mask: Tensor | None, hidden_states: Tensor
) -> Tensor:
    """(B, L) true where no answer can start or end: where `p_mask` is not 0, and where `attention_mask` (B, L) is.

    Without `p_mask` an answer stands at [CLS] or in the second text, but for its last token, the [SEP], as token types
    tell. InputError for a `p_mask` of another shape.
    """
    shape = hidden_states.shape[:2]
    closed = torch.zeros(shape, dtype=torch.bool, device=hidden_states.device)
    if p_mask is not None:
        rules.require_labels_array("p_mask", tuple(p_mask.shape), tuple(shape))
        closed = p_mask.reshape(shape) != 0
    elif token_type_ids is not None:
        second = token_type_ids == 1
        inner = second[:, :-1] & second[:, 1:]
        closed = ~torch.cat([inner, torch.zeros_like(second[:, :1])], 1)
        closed[:, 0] = False
    if attention_mask is not None and attention_mask.dim() == 2:
        closed = closed | (attention_mask == 0)
    return closed


def beam_search(
    end_logits: AlbertEndLogits, hidden_states: Tensor, start_logits: Tensor, p_mask: Tensor, config: AlbertConfig
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The best starts and the best ends for each, with their log probabilities.

    (B, L, H), scores of starts (B, L) and (B, L) where no answer can end -> starts and their places (B, K), ends and
    their places (B, K * M), K and M as `start_n_top` and `end_n_top` say, or L where that is less.
    """
    length = start_logits.shape[-1]
    start_log_probs, starts = _top(start_logits.log_softmax(-1), min(config.start_n_top, length))
    log_probs = end_logits(hidden_states, starts, p_mask).log_softmax(-1)
    end_log_probs, ends = _top(log_probs, min(config.end_n_top, length))
    return start_log_probs, starts, end_log_probs.flatten(1), ends.flatten(1)


def _top(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest of the last axis and their places: of equal ones, other than with `topk`, the first."""
    values, places = torch.sort(scores, dim=-1, descending=True, stable=True)
    return values[..., :count], places[..., :count]
