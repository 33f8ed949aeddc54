"""AlbertModule: a PyTorch module with a config. Its parts, the size of its vocabulary, its switches; it knows no files.

Letters: E embedding size, V vocabulary.
"""

from collections.abc import Collection
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError
from albertkit.outputs import ALL
from albertkit.torch import private_api, weights
from albertkit.torch.encoder import AlbertTransformer
from albertkit.torch.layers import AlbertEmbeddings
from albertkit.torch.plain_layers import are_without_values

private_api.register_outputs(ALL)


class AlbertModule(nn.Module):
    """A bare encoder, or a model with one inside as `albert`; see AlbertPreTrainedModel."""

    config_class = AlbertConfig
    base_model_prefix = "albert"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _tied_weights_keys: ClassVar[list[str] | None] = None
    _keys_to_ignore_on_save: ClassVar[list[str] | None] = None
    """Names that a file of weights does without: the Trainer of Transformers asks for them when it reads one."""
    _vocabulary_is_shared: bool = False
    """Whether this is the encoder of a model whose head scores the vocabulary."""

    embeddings: AlbertEmbeddings
    encoder: AlbertTransformer
    """The parts of a bare encoder: `base_model` has both."""

    def __init__(self, config: AlbertConfig) -> None:
        rules.require_config(type(self).__name__, config)
        super().__init__()
        self.config = config
        if config._attn_implementation is None:
            config._attn_implementation = "sdpa"
        _check_attention(config._attn_implementation)

    def post_init(self) -> None:
        """Initialise the weights and tie what is tied. The last line of every model's constructor."""
        done = None if self.base_model is self else self.base_model
        weights.initialise(self, self.checkpoint_prefix, self.config, done)
        if done is not None and self.get_output_embeddings() is not None:
            done._vocabulary_is_shared = True
        self._draw_own_layers()
        self.tie_weights()

    def init_weights(self) -> None:
        """The name by which older classes call `post_init` at the end of their constructor."""
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Draw new values for one layer of a subclass, which overrides this as in Transformers and may call it."""
        spread = self.config.initializer_range
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.trunc_normal_(module.weight, std=spread, a=-2 * spread, b=2 * spread)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            module.weight.data[module.padding_idx] = 0
        if isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
        if isinstance(module, (nn.Linear, nn.LayerNorm)) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def _draw_own_layers(self, names: Collection[str] | None = None) -> None:
        """Call an overridden `_init_weights` for layers outside the encoder, or for those with tensors in `names`."""
        is_built = names is None and are_without_values()
        if type(self)._init_weights is AlbertModule._init_weights or is_built:
            return
        inside = {id(layer) for layer in self.base_model.modules()} if self.base_model is not self else set()
        for path, layer in self.named_modules():
            own = {f"{self.checkpoint_prefix}{path}.{name}" for name, _ in layer.named_parameters(recurse=False)}
            if id(layer) not in inside if names is None else not own.isdisjoint(names):
                with torch.no_grad():
                    self._init_weights(layer)

    @property
    def num_labels(self) -> int:
        """C of the config. Setting it changes the config, as `config.num_labels` does, and not the layers."""
        return self.config.num_labels

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        if count != self.config.num_labels:
            self.config.num_labels = count

    @property
    def vocab_size(self) -> int:
        """V of the config; `resize_token_embeddings` changes it."""
        return self.config.vocab_size

    @vocab_size.setter
    def vocab_size(self, size: int) -> None:
        self.config.vocab_size = size

    @property
    def base_model(self) -> "AlbertModule":
        """The encoder: the model itself, or the one inside a head, which may have any name where it is the only one."""
        if (named := getattr(self, self.base_model_prefix, None)) is not None:
            return named
        inside = (
            [] if self._is_encoder else [m for m in self.modules() if isinstance(m, AlbertModule) and m._is_encoder]
        )
        return inside[0] if len(inside) == 1 else self

    @property
    def _is_encoder(self) -> bool:
        """Whether this is a bare encoder, with the parts of one."""
        return {"embeddings", "encoder"} <= self._modules.keys()

    @property
    def checkpoint_prefix(self) -> str:
        """What stands before the names of this model's parameters in a canonical name."""
        return "albert." if self._is_encoder else ""

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the parameters."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def framework(self) -> str:
        """`pt`, as tools for Transformers ask."""
        return "pt"

    @property
    def dummy_inputs(self) -> dict[str, Tensor]:
        """A small valid batch, input_ids (3, 5) int64."""
        return {"input_ids": torch.tensor([[7, 6, 0, 0, 1], [1, 2, 3, 0, 0], [0, 0, 0, 4, 5]])}

    @classmethod
    def can_generate(cls) -> bool:
        """False: an encoder does not generate text."""
        return False

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """Parameters, each shared one counted once; with `exclude_embeddings` without the three embedding tables."""
        return sum(
            parameter.numel()
            for name, parameter in self.named_parameters()
            if (parameter.requires_grad or not only_trainable)
            and not (exclude_embeddings and name.endswith("_embeddings.weight"))
        )

    def get_input_embeddings(self) -> nn.Embedding:
        """The word embeddings (V, E)."""
        return self.base_model.embeddings.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the word embeddings (V, E), and with them V of the config and of the masked-language-model head.

        InputError for another V on the encoder inside a model with such a head.
        """
        size = value.num_embeddings
        rules.require_own_vocabulary(self._vocabulary_is_shared, self.config.vocab_size, size)
        if (scorer := self._vocabulary_scorer) is not self:
            scorer.set_input_embeddings(value)
        self.base_model.embeddings.word_embeddings = value
        decoder = self.get_output_embeddings()
        if decoder is not None and decoder.out_features != size:
            self._resize_decoder(decoder, size, None)
        self.config.vocab_size = size
        self.tie_weights()

    def get_output_embeddings(self) -> nn.Linear | None:
        """The layer E -> V of the masked-language-model head, or None where there is no such head."""
        return None

    @property
    def _vocabulary_scorer(self) -> "AlbertModule":
        """The model whose head scores the vocabulary: this one, or one on its encoder that a class of one's own has."""
        inside = (model for model in self.modules() if isinstance(model, AlbertModule))
        scorers = (model for model in inside if model.get_output_embeddings() is not None)
        return next((model for model in scorers if model.base_model is self.base_model), self)

    def set_output_embeddings(self, value: nn.Linear) -> None:
        """Replace the layer of `get_output_embeddings`. InputError where there is no such head."""
        raise InputError(f"{type(self).__name__} has no masked-language-model head to set output embeddings on.")

    def tie_weights(self) -> None:
        """Make tied parameters one object again, in models with a head that a class of one's own has inside."""
        for inside in self.modules():
            if isinstance(inside, AlbertModule) and inside is not self:
                inside.tie_weights()

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nn.Embedding:
        """Change V, in the embeddings, the masked-language-model head, its bias and the config alike.

        The first min(old, new) rows stay. New rows stand at the mean of the old ones, or are drawn as newly initialised
        weights where `mean_resizing` is False; new biases are 0. `pad_to_multiple_of` rounds the size up. The layer
        stays, of whatever type it is, and has a new parameter. InputError for what is no size.
        """
        old, decoder = self.get_input_embeddings(), self.get_output_embeddings()
        size = rules.vocabulary_size(old.num_embeddings, new_num_tokens, pad_to_multiple_of)
        if size == old.num_embeddings:
            return old
        rules.require_own_vocabulary(self._vocabulary_is_shared, old.num_embeddings, size)
        if (scorer := self._vocabulary_scorer) is not self:
            scorer.resize_token_embeddings(size, mean_resizing=mean_resizing)
            self.set_input_embeddings(old)
            return old
        if decoder is not None and not torch.equal(decoder.weight, old.weight):
            self.config.tie_word_embeddings = False  # someone gave the head a decoder of its own
        spread = None if mean_resizing else self.config.initializer_range
        if decoder is not None:
            self._resize_decoder(decoder, size, spread)
        rows = weights.resized(old.weight, size, spread)
        old.weight = nn.Parameter(rows, requires_grad=old.weight.requires_grad)
        old.num_embeddings = size
        old.padding_idx = old.padding_idx if old.padding_idx is not None and old.padding_idx < size else None
        self.set_input_embeddings(old)
        return old

    def _resize_decoder(self, decoder: nn.Linear, size: int, spread: float | None) -> None:
        decoder.out_features = size
        if not self.config.tie_word_embeddings:
            rows = weights.resized(decoder.weight, size, spread)
            decoder.weight = nn.Parameter(rows, requires_grad=decoder.weight.requires_grad)
        old = decoder.bias.detach()[:size]
        longer = torch.cat([old, old.new_zeros(size - len(old))])
        decoder.bias = nn.Parameter(longer, requires_grad=decoder.bias.requires_grad)
        self.set_output_embeddings(decoder)

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether activations are computed again in the backward pass instead of kept."""
        return self.base_model.encoder.gradient_checkpointing

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict[str, Any] | None = None) -> None:
        """Keep only each layer's input during training and compute the rest again: less memory, about a third slower.

        `gradient_checkpointing_kwargs` go to torch.utils.checkpoint.checkpoint, e.g. {"use_reentrant": True}.
        """
        encoder = self.base_model.encoder
        encoder.gradient_checkpointing = True
        encoder.gradient_checkpointing_kwargs = {"use_reentrant": False} | (gradient_checkpointing_kwargs or {})

    def gradient_checkpointing_disable(self) -> None:
        """Keep activations again."""
        self.base_model.encoder.gradient_checkpointing = False

    def set_attn_implementation(self, attn_implementation: str) -> None:
        """Compute attention step by step, "eager", by torch's fused kernel, "sdpa", or so without padding, "packed".

        ConfigError for another way.
        """
        _check_attention(attn_implementation)
        self.config._attn_implementation = attn_implementation


def _check_attention(implementation: str) -> None:
    if implementation not in ("sdpa", "eager", "packed"):
        raise ConfigError(
            f'`attn_implementation` must be "sdpa", "packed" or "eager". Received: {implementation!r}. "sdpa" takes '
            'the fused kernels of torch, flash attention among them, wherever the device has one; "packed" does, too, '
            "and computes nothing for padding."
        )
