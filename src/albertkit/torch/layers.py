"""The layers of ALBERT in PyTorch. Attribute paths are checkpoint names.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads, D head width, F feed-forward width.
Layers know nothing of tasks, files or padding: an attention mask arrives here as an additive bias.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.outputs import BaseModelOutput

_tanh_gelu = functools.partial(functional.gelu, approximate="tanh")


def _clipped_gelu(x: Tensor) -> Tensor:
    return functional.gelu(x).clamp(-10, 10)


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def _squared_relu(x: Tensor) -> Tensor:
    return functional.relu(x).square()


def _linear(x: Tensor) -> Tensor:
    return x


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "gelu_10": _clipped_gelu,
    "quick_gelu": _quick_gelu,
    "relu": functional.relu,
    "relu6": functional.relu6,
    "relu2": _squared_relu,
    "leaky_relu": functional.leaky_relu,
    "silu": functional.silu,
    "swish": functional.silu,
    "mish": functional.mish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "linear": _linear,
}


def activation(name: str | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The function that `hidden_act` names, or the function itself."""
    return ACTIVATIONS[name] if isinstance(name, str) else name


class Linear(nn.Linear):
    """A dense layer that draws no values where there is no memory for them: it would take longer than loading them."""

    def reset_parameters(self) -> None:
        """Torch's own fresh values, which a model replaces by those of `checkpoint.init`."""
        if not self.weight.is_meta:
            super().reset_parameters()


class Embedding(nn.Embedding):
    """An embedding table, with the same exception."""

    def reset_parameters(self) -> None:
        """See `Linear`."""
        if not self.weight.is_meta:
            super().reset_parameters()


class AlbertEmbeddings(nn.Module):
    """Word + token type + position embedding, norm and dropout, all of width E (arXiv 1909.11942, section 3.1)."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.word_embeddings: nn.Embedding = Embedding(
            config.vocab_size, config.embedding_size, padding_idx=config.pad_token_id
        )
        self.position_embeddings = Embedding(config.max_position_embeddings, config.embedding_size)
        self.token_type_embeddings = Embedding(config.type_vocab_size, config.embedding_size)
        self.LayerNorm = nn.LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> Tensor:
        """(B, L) integer ids, or (B, L, E) `inputs_embeds` in their place -> (B, L, E).

        Token types default to 0 and positions to 0..L-1. TokenIdError for an id outside its table and InputError for a
        sequence longer than the position table, wherever the values can be seen.
        """
        rules.require_inputs(input_ids, inputs_embeds)
        if input_ids is not None:
            rules.require_ids_array("input_ids", tuple(input_ids.shape), not input_ids.is_floating_point())
            _check_ids("input_ids", input_ids, self.word_embeddings.num_embeddings)
        words: Tensor = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        length, longest = words.shape[1], self.position_embeddings.num_embeddings
        if position_ids is None:
            rules.require_length(length, longest)
            position_ids = torch.arange(length, device=words.device)
        else:
            _check_ids("position_ids", position_ids, longest)
        if token_type_ids is None:
            token_types = self.token_type_embeddings.weight[0]
        else:
            _check_ids("token_type_ids", token_type_ids, self.token_type_embeddings.num_embeddings)
            token_types = self.token_type_embeddings(token_type_ids)
        embeddings = words + token_types + self.position_embeddings(position_ids)
        return self.dropout(self.LayerNorm(embeddings))


def _check_ids(name: str, ids: Tensor, size: int) -> None:
    """TokenIdError for an id outside 0..size-1. Skipped on accelerators, where looking would wait for the device."""
    if ids.device.type != "cpu" or torch.compiler.is_compiling() or torch._C._get_tracing_state():
        return
    if ids.numel():
        rules.require_ids(name, int(ids.min()), int(ids.max()), size)


@dataclass(frozen=True)
class Packing:
    """T tokens of many sequences laid end to end, none of them padding.

    `groups`: (number of sequences, their length) for each run of sequences of one length, in the order of the tokens.
    `places` (P,): the tokens whose last hidden state is asked for, where that is not asked of all.
    """

    groups: tuple[tuple[int, int], ...]
    places: Tensor | None = None

    def asked(self, x: Tensor) -> Tensor:
        """(1, T, H) -> (1, P, H)."""
        return x if self.places is None else x[:, self.places]

    def cut(self, x: Tensor) -> list[Tensor]:
        """(1, T, N, D) -> for each group (sequences, N, length, D)."""
        runs = x[0].split([count * length for count, length in self.groups])
        return [run.unflatten(0, group).transpose(1, 2) for run, group in zip(runs, self.groups, strict=True)]


class AlbertAttention(nn.Module):
    """Multi-head self-attention, its output projection, and the norm of the sum with its input."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.config = config
        self.num_attention_heads = config.num_attention_heads
        self.query = Linear(config.hidden_size, config.hidden_size)
        self.key = Linear(config.hidden_size, config.hidden_size)
        self.value = Linear(config.hidden_size, config.hidden_size)
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attention_dropout = nn.Dropout(config.attention_probs_dropout_prob)
        self.output_dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(
        self,
        hidden_states: Tensor,
        attention_bias: Tensor | Packing | None = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, L, H) -> (B, L, H), and the probabilities (B, N, L, L) where asked for.

        `attention_bias` is added to the scores and broadcasts to (B, N, L, L); `head_mask` multiplies the
        probabilities, which are returned masked. With a `Packing` in its place, (1, T, H) -> (1, P, H), and a token
        attends to those of its own sequence.
        """
        query, key, value = (self._heads(project(hidden_states)) for project in (self.query, self.key, self.value))
        probabilities = None
        dropout = self.attention_dropout.p if self.training else 0.0
        if isinstance(attention_bias, Packing):
            queries, keys, values = (attention_bias.cut(x.transpose(1, 2)) for x in (query, key, value))
            attended = [_attend(q, k, v, None, dropout) for q, k, v in zip(queries, keys, values, strict=True)]
            context = torch.cat([x.transpose(1, 2).flatten(0, 1) for x in attended])[None].transpose(1, 2)
        elif output_attentions or head_mask is not None or self.config._attn_implementation == "eager":
            scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
            if attention_bias is not None:
                scores = scores + attention_bias
            probabilities = self.attention_dropout(scores.softmax(-1))
            if head_mask is not None:
                probabilities = probabilities * head_mask
            context = probabilities @ value
        else:
            context = _attend(query, key, value, attention_bias, dropout)
        context = context.transpose(1, 2).flatten(2)
        if isinstance(attention_bias, Packing):  # from here on a token is by itself
            context, hidden_states = attention_bias.asked(context), attention_bias.asked(hidden_states)
        context = self.dense(context)
        attended = self.LayerNorm(hidden_states + self.output_dropout(context))
        return attended, probabilities if output_attentions else None

    def _heads(self, x: Tensor) -> Tensor:
        """(B, L, H) -> (B, N, L, D)."""
        return x.unflatten(-1, (self.num_attention_heads, -1)).transpose(1, 2)


def _for_layer(bias: Tensor | Packing | None, is_last: bool) -> Tensor | Packing | None:
    """What a layer is given: the next one attends to all tokens, so that only the last can leave any out."""
    return bias if is_last or not isinstance(bias, Packing) else replace(bias, places=None)


def _attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, dropout: float) -> Tensor:
    """(B, N, L, D) each -> (B, N, L, D)."""
    if query.dtype != torch.bfloat16 or query.device.type != "cpu":
        return functional.scaled_dot_product_attention(query, key, value, bias, dropout)
    # PyTorch's fused attention is slow in bfloat16 on the CPU: its backward pass takes four times as long as this one.
    with torch.autocast("cpu", enabled=False):
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        probabilities = (scores if bias is None else scores + bias.to(scores.dtype)).softmax(-1)
        return functional.dropout(probabilities, dropout) @ value


class AlbertLayer(nn.Module):
    """Attention, then the feed-forward block of width F, with dropout and norm on the sum of the two."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.full_layer_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attention = AlbertAttention(config)
        self.ffn = Linear(config.hidden_size, config.intermediate_size)
        self.ffn_output = Linear(config.intermediate_size, config.hidden_size)
        self.activation = activation(config.hidden_act)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.chunk_size = config.chunk_size_feed_forward

    def forward(
        self,
        hidden_states: Tensor,
        attention_bias: Tensor | Packing | None = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, L, H) -> (B, L, H), and the attention probabilities where asked for."""
        attended, probabilities = self.attention(hidden_states, attention_bias, head_mask, output_attentions)
        if self.chunk_size:
            fed = torch.cat([self._feed_forward(chunk) for chunk in attended.split(self.chunk_size, dim=1)], dim=1)
        else:
            fed = self._feed_forward(attended)
        return self.full_layer_layer_norm(attended + self.dropout(fed)), probabilities

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.ffn_output(self.activation(self.ffn(x)))


class AlbertLayerGroup(nn.Module):
    """`inner_group_num` layers, run one after the other."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.albert_layers = nn.ModuleList(AlbertLayer(config) for _ in range(config.inner_group_num))

    def forward(
        self,
        hidden_states: Tensor,
        attention_bias: Tensor | Packing | None = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, L, H) -> (B, L, H), and the attention probabilities of each inner layer where asked for."""
        attentions = []
        for number, layer in enumerate(self.albert_layers, start=1):
            bias = _for_layer(attention_bias, is_last=number == len(self.albert_layers))
            hidden_states, probabilities = layer(hidden_states, bias, head_mask, output_attentions)
            attentions += [probabilities] if output_attentions else []
        return hidden_states, tuple(attentions)


class AlbertTransformer(nn.Module):
    """The embedding mapped from E to H, then `num_hidden_layers` runs of the layer groups with shared weights."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.embedding_hidden_mapping_in = Linear(config.embedding_size, config.hidden_size)
        self.albert_layer_groups = nn.ModuleList(AlbertLayerGroup(config) for _ in range(config.num_hidden_groups))
        self.group_of_layer = config.group_of_layer
        self.gradient_checkpointing = config.gradient_checkpointing
        self.gradient_checkpointing_kwargs: dict[str, Any] = {"use_reentrant": False}

    def forward(
        self,
        embeddings: Tensor,
        attention_bias: Tensor | Packing | None = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
    ) -> BaseModelOutput:
        """(B, L, E) -> last_hidden_state (B, L, H). `head_mask` has an entry a layer, broadcasting to (B, N, L, L)."""
        hidden_states = self.embedding_hidden_mapping_in(embeddings)
        all_hidden_states, attentions = (hidden_states,), ()
        for layer, group in enumerate(self.group_of_layer):
            bias = _for_layer(attention_bias, is_last=layer + 1 == len(self.group_of_layer))
            arguments = (bias, None if head_mask is None else head_mask[layer], output_attentions)
            if self.gradient_checkpointing and self.training:
                hidden_states, probabilities = checkpoint(
                    self.albert_layer_groups[group], hidden_states, *arguments, **self.gradient_checkpointing_kwargs
                )
            else:
                hidden_states, probabilities = self.albert_layer_groups[group](hidden_states, *arguments)
            attentions += probabilities
            all_hidden_states += (hidden_states,) if output_hidden_states else ()
        return BaseModelOutput(
            last_hidden_state=hidden_states,
            hidden_states=all_hidden_states if output_hidden_states else None,
            attentions=attentions if output_attentions else None,
        )
