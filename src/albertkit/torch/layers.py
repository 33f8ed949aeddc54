"""The layers of ALBERT in PyTorch, up to one group of layers. Attribute paths are checkpoint names.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads, D head width, F feed-forward width.
Layers know nothing of tasks, files or padding: an attention mask arrives here as an additive bias.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.torch.activations import activation
from albertkit.torch.packed_sequences import AttentionBias, PackedSequences, bias_for_layer
from albertkit.torch.plain_layers import embedding, layer_norm, linear


def can_inspect(values: Tensor) -> bool:
    """Whether values can be looked at: not where a graph is traced, nor on accelerators, which would have to wait."""
    if values.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    return not torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]  (documented all the same)


def _check_ids(name: str, ids: Tensor, size: int) -> None:
    """TokenIdError for an id outside 0..size-1, wherever the values can be seen."""
    if can_inspect(ids) and ids.numel():
        rules.require_ids(name, int(ids.min()), int(ids.max()), size)


def _rows(table: nn.Module) -> int:
    """How many vectors an embedding has. What PEFT puts in its place tells that by the weight alone."""
    return getattr(table, "num_embeddings", None) or len(table.weight)  # pyright: ignore[reportArgumentType]


def _pass_over_buffers(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *others: object) -> None:
    """Leave out of a state_dict the buffers that older releases of Transformers kept beside the embeddings."""
    for name in ("position_ids", "token_type_ids"):
        state_dict.pop(prefix + name, None)


class AlbertEmbeddings(nn.Module):
    """Word + token type + position embedding, norm and dropout.

    All are of width E, which is smaller than H: the factorised embedding of arXiv 1909.11942, section 3.1. The encoder
    maps E to H.
    """

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.word_embeddings = embedding(config.vocab_size, config.embedding_size, config.pad_token_id)
        self.position_embeddings = embedding(config.max_position_embeddings, config.embedding_size)
        self.token_type_embeddings = embedding(config.type_vocab_size, config.embedding_size)
        self.LayerNorm = layer_norm(config.embedding_size, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.register_load_state_dict_pre_hook(_pass_over_buffers)

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
        words = self._words(input_ids, inputs_embeds)
        length, longest = words.shape[1], _rows(self.position_embeddings)
        if position_ids is None:
            rules.require_length(length, longest)
            position_ids = torch.arange(length, device=words.device)
        else:
            _check_ids("position_ids", position_ids, longest)
        if token_type_ids is None:
            token_types = self.token_type_embeddings.weight[0]
        else:
            _check_ids("token_type_ids", token_type_ids, _rows(self.token_type_embeddings))
            token_types = self.token_type_embeddings(token_type_ids)
        embeddings = words + token_types + self.position_embeddings(position_ids)
        return self.dropout(self.LayerNorm(embeddings))

    def _words(self, input_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
        """The word embeddings (B, L, E) of the ids, or those given in their place. InputError unless one is given."""
        rules.require_inputs(input_ids, inputs_embeds)
        if input_ids is not None:
            rules.require_ids_array("input_ids", tuple(input_ids.shape), not input_ids.is_floating_point())
            _check_ids("input_ids", input_ids, _rows(self.word_embeddings))
        return self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds


class AlbertAttention(nn.Module):
    """Multi-head self-attention, its output projection, and the norm of the sum with its input."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.config = config
        self.num_attention_heads = config.num_attention_heads
        self.query = linear(config.hidden_size, config.hidden_size)
        self.key = linear(config.hidden_size, config.hidden_size)
        self.value = linear(config.hidden_size, config.hidden_size)
        self.dense = linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = layer_norm(config.hidden_size, config.layer_norm_eps)
        self.attention_dropout = nn.Dropout(config.attention_probs_dropout_prob)
        self.output_dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(
        self,
        hidden_states: Tensor,
        attention_bias: AttentionBias = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, L, H) -> (B, L, H), and the probabilities (B, N, L, L) where asked for.

        `attention_bias` is added to the scores and broadcasts to (B, N, L, L); `head_mask` multiplies the
        probabilities, which are returned masked. With PackedSequences in its place, (1, T, H) -> (1, P, H), and a token
        attends to those of its own sequence.
        """
        sources = hidden_states, hidden_states, hidden_states
        if isinstance(attention_bias, PackedSequences) and attention_bias.is_first_token:
            sources = attention_bias.select(hidden_states), hidden_states, hidden_states
        layers = self.query, self.key, self.value
        query, key, value = (self._heads(layer(source)) for layer, source in zip(layers, sources, strict=True))
        probabilities = None
        dropout = self.attention_dropout.p if self.training else 0.0
        if isinstance(attention_bias, PackedSequences):
            queries, keys, values = (attention_bias.split(x.transpose(1, 2)) for x in (query, key, value))
            parts = [_fused_attention(q, k, v, None, dropout) for q, k, v in zip(queries, keys, values, strict=True)]
            context = attention_bias.join(parts)
        elif output_attentions or head_mask is not None or self.config._attn_implementation == "eager":
            probabilities = self._probabilities(query, key, attention_bias, head_mask)
            context = probabilities @ value
        else:
            context = _fused_attention(query, key, value, attention_bias, dropout)
        context = context.transpose(1, 2).flatten(2)
        if isinstance(attention_bias, PackedSequences):  # from here on a token is by itself
            context = context if attention_bias.is_first_token else attention_bias.select(context)
            hidden_states = attention_bias.select(hidden_states)
        context = self.dense(context)
        attended = self.LayerNorm(hidden_states + self.output_dropout(context))
        return attended, probabilities if output_attentions else None

    def _heads(self, x: Tensor) -> Tensor:
        """(B, L, H) -> (B, N, L, D)."""
        return x.unflatten(-1, (self.num_attention_heads, -1)).transpose(1, 2)

    def _probabilities(self, query: Tensor, key: Tensor, bias: Tensor | None, head_mask: Tensor | None) -> Tensor:
        """(B, N, L, D) queries and keys -> (B, N, L, L), after dropout and the head mask."""
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        if bias is not None:
            scores = scores + bias
        probabilities = self.attention_dropout(scores.softmax(-1))
        return probabilities if head_mask is None else probabilities * head_mask


def _fused_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, dropout: float) -> Tensor:
    """(B, N, L, D) each -> (B, N, L, D)."""
    if query.dtype != torch.bfloat16 or query.device.type != "cpu":
        return functional.scaled_dot_product_attention(query, key, value, bias, dropout)
    # PyTorch's fused attention is slow in bfloat16 on the CPU: its backward pass takes four times as long as this one.
    with torch.autocast("cpu", enabled=False):
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        probabilities = (scores if bias is None else scores + bias.to(scores.dtype)).softmax(-1)
        return functional.dropout(probabilities, dropout) @ value


class AlbertLayer(nn.Module):
    """Attention, then the feed-forward block of width F, with dropout and norm on the sum of the two.

    `config.chunk_size_feed_forward` places at a time go through the feed-forward block where it is not 0: less memory.
    """

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.full_layer_layer_norm = layer_norm(config.hidden_size, config.layer_norm_eps)
        self.attention = AlbertAttention(config)
        self.ffn = linear(config.hidden_size, config.intermediate_size)
        self.ffn_output = linear(config.intermediate_size, config.hidden_size)
        self.activation = activation(config.hidden_act)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.chunk_size = config.chunk_size_feed_forward

    def forward(
        self,
        hidden_states: Tensor,
        attention_bias: AttentionBias = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, L, H) -> (B, L, H), and the attention probabilities (B, N, L, L) where asked for."""
        attended, probabilities = self.attention(hidden_states, attention_bias, head_mask, output_attentions)
        if self.chunk_size:
            fed = torch.cat([self._feed_forward(chunk) for chunk in attended.split(self.chunk_size, dim=1)], dim=1)
        else:
            fed = self._feed_forward(attended)
        return self.full_layer_layer_norm(attended + self.dropout(fed)), probabilities

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.ffn_output(self.activation(self.ffn(x)))


class AlbertLayerGroup(nn.Module):
    """`inner_group_num` layers, run one after the other; the released models have one group of one layer."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.albert_layers = nn.ModuleList(AlbertLayer(config) for _ in range(config.inner_group_num))

    def forward(
        self,
        hidden_states: Tensor,
        attention_bias: AttentionBias = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, L, H) -> (B, L, H), and the attention probabilities of each inner layer where asked for."""
        attentions = []
        for number, layer in enumerate(self.albert_layers, start=1):
            bias = bias_for_layer(attention_bias, is_last=number == len(self.albert_layers))
            hidden_states, probabilities = layer(hidden_states, bias, head_mask, output_attentions)
            attentions += [probabilities] if output_attentions else []
        return hidden_states, tuple(attentions)
