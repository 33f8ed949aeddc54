"""AlbertModel: the encoder in PyTorch as a model by itself, which every head has inside.

Letters: B batch, L sequence length, H hidden size, N heads. All models take these arguments:

    input_ids (B, L) integer, or inputs_embeds (B, L, E) float in their place
    attention_mask (B, L), (B, L, L) or (B, 1 or N, L, L): 1 may be attended to, 0 may not; default all 1
    token_type_ids (B, L) integer: 0 for the first text, 1 for the second; default all 0
    position_ids (B, L) or (L,) integer; default 0..L-1
    head_mask (N,) or (layers, N), or anything that broadcasts to (layers, B, N, L, L): factors on the probabilities
    output_attentions, output_hidden_states, return_dict: default to the config's
"""

import torch
from torch import Tensor, nn

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.outputs import BaseModelOutputWithPooling
from albertkit.torch.encoder import AlbertTransformer
from albertkit.torch.layers import AlbertEmbeddings
from albertkit.torch.packed_sequences import PackedSequences, Unpadded
from albertkit.torch.plain_layers import linear
from albertkit.torch.pretrained import AlbertPreTrainedModel


class AlbertModel(AlbertPreTrainedModel):
    """ALBERT without a head (arXiv 1909.11942, section 3.1), with the tanh pooler over [CLS] unless told otherwise.

    The pooled state is tanh of a dense layer H -> H over the last hidden state of the first token, as in BERT. With
    `attn_implementation="packed"` nothing is computed for padding, whose hidden states are 0 then, unless attentions,
    all hidden states or a head mask are wanted.
    """

    only_pooled = False
    """Whether a head reads nothing but the pooled state: packed rows have no last hidden states then."""

    def __init__(self, config: AlbertConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.embeddings = AlbertEmbeddings(config)
        self.encoder = AlbertTransformer(config)
        self.pooler = linear(config.hidden_size, config.hidden_size) if add_pooling_layer else None
        self.pooler_activation = nn.Tanh() if add_pooling_layer else None
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithPooling | tuple[object, ...]:
        """-> last_hidden_state (B, L, H), pooler_output (B, H); see the module for the arguments.

        A tuple of the same where `return_dict` is False. InputError and TokenIdError for inputs that do not fit.
        """
        config = self.config
        attentions = config.output_attentions if output_attentions is None else output_attentions
        hidden_states = config.output_hidden_states if output_hidden_states is None else output_hidden_states
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        output = self._run(inputs, attentions, hidden_states)
        named = config.use_return_dict if return_dict is None else return_dict
        if named:
            return output
        # Without a pooler the tuple keeps an empty second place, as in Transformers.
        return output.last_hidden_state, output.pooler_output, *output.to_tuple()[1 + (self.pooler is not None) :]

    def _run(
        self, inputs: tuple[Tensor | None, ...], attentions: bool, hidden_states: bool, every_layer: bool = False
    ) -> BaseModelOutputWithPooling:
        """The outputs for the six inputs of a call; with `every_layer` pooler_output is (layers, B, H)."""
        ids, mask, types, positions, head_mask, embeds = inputs
        is_packed = self.config._attn_implementation == "packed" and not (attentions or hidden_states)
        packing = Unpadded.of(ids, embeds, mask) if is_packed and head_mask is None else None
        if packing is not None:
            return self._run_packed((ids, types, positions, embeds), packing, every_layer)
        embedded = self.embeddings(ids, types, positions, embeds)
        bias = None if mask is None else attention_bias(mask, embedded)
        head_bias = None if head_mask is None else broadcast_head_mask(head_mask, self.config, embedded)
        encoded = self.encoder(embedded, bias, head_bias, attentions, hidden_states or every_layer)
        last, layers = encoded.last_hidden_state, encoded.hidden_states or ()
        firsts = torch.stack([states[:, 0] for states in layers[1:]]) if every_layer else last[:, 0]
        shown = encoded.hidden_states if hidden_states else None
        return BaseModelOutputWithPooling(last, self._pooled(firsts), shown, encoded.attentions)

    def _run_packed(
        self, inputs: tuple[Tensor | None, ...], packing: Unpadded, every_layer: bool
    ) -> BaseModelOutputWithPooling:
        """The outputs of rows of which only the tokens are computed, and in the last layer only what a head reads."""
        sequences = packing.sequences(self.only_pooled)
        encoded = self.encoder(self._packed_embeddings(inputs, packing), sequences, output_hidden_states=every_layer)
        states = encoded.last_hidden_state
        if every_layer:
            whole = (encoded.hidden_states or ())[1:-1]
            firsts = [*(layer[:, sequences.positions] for layer in whole), states]
            pooled = self._pooled(torch.stack([packing.in_order_of_rows(one) for one in firsts]))
            return BaseModelOutputWithPooling(pooler_output=pooled)
        if self.only_pooled:
            return BaseModelOutputWithPooling(pooler_output=self._pooled(packing.in_order_of_rows(states)))
        return BaseModelOutputWithPooling(packing.unpack(states), self._pooled(states[0, packing.starts]))

    def _states_at(self, rows: Tensor, columns: Tensor, input_ids: Tensor, **others: Tensor) -> Tensor:
        """The last hidden states (P, H) at places of rows, computed there alone; arguments as of a call."""
        mask = others.pop("attention_mask", None)
        is_packed = self.config._attn_implementation == "packed"
        packing = Unpadded.of(input_ids, None, mask) if is_packed else None
        if packing is None:
            return self(input_ids, mask, **others, return_dict=True).last_hidden_state[rows, columns]
        # Places may be asked for twice, and are computed once.
        places, order = packing.places_of(rows, columns).unique(return_inverse=True)
        sequences = PackedSequences(packing.groups, places)
        inputs = (input_ids, others.get("token_type_ids"), others.get("position_ids"), None)
        found = self.encoder(self._packed_embeddings(inputs, packing), sequences).last_hidden_state[0]
        return found[order]

    def _packed_embeddings(self, inputs: tuple[Tensor | None, ...], packing: Unpadded) -> Tensor:
        """Ids, types, positions and embeddings of padded rows -> the embeddings (1, T, E) of their tokens."""
        ids, types, positions, embeds = inputs
        length = packing.shape[1]
        if positions is None:
            rules.require_length(length, self.config.max_position_embeddings)
            positions = torch.arange(length, device=packing.starts.device)
        packed = [None if x is None else packing.pack(x) for x in (ids, types, positions.expand(packing.shape), embeds)]
        return self.embeddings(*packed)

    def _pooled(self, states: Tensor) -> Tensor | None:
        """States of first tokens (..., B, H) -> the same shape, or None without a pooler."""
        if self.pooler is None:
            return None
        dense = self.pooler(states)
        return dense if self.pooler_activation is None else self.pooler_activation(dense)


def attention_bias(attention_mask: Tensor, embedded: Tensor) -> Tensor:
    """A mask of 1 and 0 as a bias to add to attention scores, of shape (B, 1, 1, L) or (B, 1 or N, L, L).

    The bias of a masked place is the lowest number of the precision, which keeps a row with nothing to attend to
    finite. InputError for another shape.
    """
    shape = tuple(attention_mask.shape)
    rules.require_mask(shape, *embedded.shape[:2])
    if len(shape) == 2:
        attention_mask = attention_mask[:, None, None, :]
    elif len(shape) == 3:
        attention_mask = attention_mask[:, None, :, :]
    return (1 - attention_mask.to(embedded.dtype)) * torch.finfo(embedded.dtype).min


def broadcast_head_mask(head_mask: Tensor, config: AlbertConfig, embedded: Tensor) -> Tensor:
    """(N,), (layers, N) or (layers, ...) -> (layers, 1 or B, N, 1 or L, 1 or L) in the precision of `embedded`.

    InputError for another shape.
    """
    shape = tuple(head_mask.shape)
    rules.require_head_mask(shape, config.num_hidden_layers, config.num_attention_heads)
    if len(shape) == 1:
        head_mask = head_mask.expand(config.num_hidden_layers, -1)
    if len(shape) < 5:
        head_mask = head_mask[:, None, :, None, None]
    return head_mask.to(embedded.dtype)
