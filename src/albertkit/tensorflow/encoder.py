"""The encoder of ALBERT in Keras: few layer groups, run many times with the same weights.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads.
"""

import itertools
from collections.abc import Sequence

import keras
import tensorflow as tf

from albertkit.config import AlbertConfig
from albertkit.outputs import BaseModelOutput
from albertkit.tensorflow import private_api, remat
from albertkit.tensorflow.layers import AlbertLayerGroup, Block, Linear, fold
from albertkit.tensorflow.typing import Tensor


class AlbertTransformer(Block):
    """The embedding mapped from E to H, then `num_hidden_layers` runs of the layer groups.

    The weights of a group are shared across the layers that run it (arXiv 1909.11942, section 3.1, cross-layer
    parameter sharing); `config.group_of_layer` says which group each layer runs. `loops` says whether a graph holds
    these runs as loops; None leaves it to the encoder.
    """

    def __init__(self, config: AlbertConfig, name: str = "encoder") -> None:
        super().__init__(name=name)
        self.embedding_hidden_mapping_in = Linear(
            config.embedding_size, config.hidden_size, "embedding_hidden_mapping_in"
        )
        self.albert_layer_groups = [
            AlbertLayerGroup(config, f"albert_layer_groups_{g}") for g in range(config.num_hidden_groups)
        ]
        self.group_of_layer = tuple(config.group_of_layer)
        self.gradient_checkpointing = config.gradient_checkpointing
        self.drops = bool(config.hidden_dropout_prob or config.attention_probs_dropout_prob)
        self.loops: bool | None = None

    def call(
        self,
        embeddings: Tensor,
        attention_bias: Tensor | None = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        seed: Tensor | None = None,
    ) -> BaseModelOutput:
        """(B, L, E) -> last_hidden_state (B, L, H), and where asked for those of all layers and the attentions.

        `attention_bias` broadcasts to (B, N, L, L). `head_mask` has an entry a layer, broadcasting to the same.
        """
        hidden_states = self.embedding_hidden_mapping_in(embeddings)
        each_is_wanted = output_attentions or output_hidden_states or self.gradient_checkpointing
        if not each_is_wanted and self._is_looped(seed):
            return BaseModelOutput(self._looped(hidden_states, attention_bias, head_mask, seed))
        all_hidden_states, attentions = (hidden_states,), ()
        for layer, group in enumerate(self.group_of_layer):
            mask = None if head_mask is None else head_mask[layer]
            given = (self.albert_layer_groups[group], hidden_states, attention_bias, mask)
            run = self._recomputed if self.gradient_checkpointing and seed is not None else AlbertLayerGroup.__call__
            hidden_states, probabilities = run(*given, output_attentions=output_attentions, seed=fold(seed, layer))
            attentions += probabilities
            all_hidden_states += (hidden_states,) if output_hidden_states else ()
        return BaseModelOutput(
            last_hidden_state=hidden_states,
            hidden_states=all_hidden_states if output_hidden_states else None,
            attentions=attentions if output_attentions else None,
        )

    def _recomputed(
        self,
        group: AlbertLayerGroup,
        hidden_states: Tensor,
        attention_bias: Tensor | None,
        head_mask: Tensor | None,
        output_attentions: bool,
        seed: Tensor,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """What `group` answers; its activations are not kept but computed again in the backward pass."""
        given = _present(attention_bias=attention_bias, head_mask=head_mask)

        def run(hidden_states: Tensor, *values: Tensor) -> list[Tensor]:
            options = dict(zip(given, values, strict=True))
            state, attentions = group(hidden_states, **options, output_attentions=output_attentions, seed=seed)
            return [state, *attentions]

        state, *attentions = tf.recompute_grad(run)(hidden_states, *given.values())
        return state, tuple(attentions)

    def _looped(
        self, hidden_states: Tensor, attention_bias: Tensor | None, head_mask: Tensor | None, seed: Tensor | None
    ) -> Tensor:
        """Each run of layers with the same weights as one loop, traced and compiled once however deep the model is."""
        given = _present(attention_bias=attention_bias, head_mask=head_mask)
        is_remat = seed is not None and private_api.is_under_xla()
        loop = remat.remat_loop if is_remat else remat.while_loop
        start = 0
        for number, run in itertools.groupby(self.group_of_layer):
            turns = range(start, start + len(list(run)))
            group = self.albert_layer_groups[number]
            # Read here, outside: a weight read inside would count as a result of every turn. In full precision, in
            # which the gradients of all turns are then added up.
            with private_api.without_autocast():
                weights = [tf.convert_to_tensor(weight.value) for weight in group.weights]
            step = _step(group, list(given), seed)
            hidden_states = loop(step, turns, hidden_states, [*weights, *given.values()])
            start = turns.stop
        return hidden_states

    def _is_looped(self, seed: Tensor | None) -> bool:
        """Whether a graph holds loops: `loops`, or where it is None, wherever a loop was measured to be as fast.

        That is everywhere but where dropout acts under XLA: `remat_loop` draws the masks again in the backward pass.
        """
        if self.loops is not None or tf.executing_eagerly():
            return bool(self.loops)
        return seed is None or not self.drops or not private_api.is_under_xla()


def _step(group: AlbertLayerGroup, names: Sequence[str], seed: Tensor | None) -> remat.Function:
    """One turn of a loop over a group: of the layer's number, the state, the group's weights and the inputs `names`."""

    def step(layer: Tensor, state: Tensor, *values: Tensor) -> Tensor:
        weights = group.weights
        options = dict(zip(names, values[len(weights) :], strict=True))
        if "head_mask" in options:
            options["head_mask"] = options["head_mask"][layer]
        with keras.StatelessScope(list(zip(weights, values[: len(weights)], strict=True))):
            return group(state, **options, seed=fold(seed, layer))[0]

    return step


def _present(**inputs: Tensor | None) -> dict[str, Tensor]:
    """Those of the inputs that are given."""
    return {name: value for name, value in inputs.items() if value is not None}
