"""AlbertConfig: the numbers that define an ALBERT, and the published sizes.

Knows no framework and no weights' values; it counts parameters from the weight table alone.
"""

import inspect
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple, Self

from albertkit import weight_table
from albertkit.config_keys import LAYERS
from albertkit.errors import ConfigError, abbreviate, did_you_mean
from albertkit.pretrained_config import CONFIG_FILE as CONFIG_FILE
from albertkit.pretrained_config import PretrainedConfig
from albertkit.typing import Json, Record


class Size(NamedTuple):
    """What differs between the published sizes; all have embeddings of width 128 (arXiv 1909.11942, table 3)."""

    num_hidden_layers: int
    hidden_size: int
    num_attention_heads: int
    intermediate_size: int


SIZES = {
    "base": Size(12, 768, 12, 3072),
    "large": Size(24, 1024, 16, 4096),
    "xlarge": Size(24, 2048, 16, 8192),
    "xxlarge": Size(12, 4096, 64, 16384),
}
"""The published sizes (arXiv 1909.11942, table 1). Heads are H / 64 (section 3.1), but 16 in the released xlarge."""


class AlbertConfig(PretrainedConfig):
    """The published keys of ALBERT with their published defaults, which describe the xxlarge size.

    Sizes in letters: V `vocab_size`, E `embedding_size`, H `hidden_size`, N `num_attention_heads`, F
    `intermediate_size`, P `max_position_embeddings`, T `type_vocab_size`, C `num_labels`. Layer i of
    `num_hidden_layers` runs the weights of group `int(i / (num_hidden_layers / num_hidden_groups))`, and a group runs
    its `inner_group_num` layers one after the other (arXiv 1909.11942, section 3.1). Of more groups than layers some
    never run, as in the tiny models of albert_zh; their weights are kept.

    Further keywords are the keys common to all models of the Transformers layout (`id2label`, `num_labels`,
    `problem_type`, `output_attentions`, ...). Any other key is kept and written back, which is told once, unless it
    looks like a known one with a typing error: that raises ConfigError with the nearest known name.
    """

    model_type: ClassVar[str] = "albert"

    def __init__(
        self,
        vocab_size: int = 30000,
        embedding_size: int = 128,
        hidden_size: int = 4096,
        num_hidden_layers: int = 12,
        num_hidden_groups: int = 1,
        num_attention_heads: int = 64,
        intermediate_size: int = 16384,
        inner_group_num: int = 1,
        hidden_act: str = "gelu_new",
        hidden_dropout_prob: float = 0,
        attention_probs_dropout_prob: float = 0,
        max_position_embeddings: int = 512,
        type_vocab_size: int = 2,
        initializer_range: float = 0.02,
        layer_norm_eps: float = 1e-12,
        classifier_dropout_prob: float | None = 0.1,
        position_embedding_type: str = "absolute",
        pad_token_id: int | None = 0,
        bos_token_id: int | None = 2,
        eos_token_id: int | None = 3,
        **common: Json,
    ) -> None:
        self.vocab_size = vocab_size
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_hidden_groups = num_hidden_groups
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.inner_group_num = inner_group_num
        self.hidden_act = hidden_act
        self.hidden_dropout_prob = hidden_dropout_prob
        self.attention_probs_dropout_prob = attention_probs_dropout_prob
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.initializer_range = initializer_range
        self.layer_norm_eps = layer_norm_eps
        self.classifier_dropout_prob = classifier_dropout_prob
        self.position_embedding_type = position_embedding_type
        self.pad_token_id = pad_token_id
        self.bos_token_id = bos_token_id
        self.eos_token_id = eos_token_id
        self._set_common(common)

    @classmethod
    def base(cls, version: int = 2, **overrides: Json) -> Self:
        """The base release: 12 layers, H 768, 11,683,584 backbone parameters."""
        return cls._named("base", version, overrides)

    @classmethod
    def large(cls, version: int = 2, **overrides: Json) -> Self:
        """The large release: 24 layers, H 1024, 17,683,968 backbone parameters."""
        return cls._named("large", version, overrides)

    @classmethod
    def xlarge(cls, version: int = 2, **overrides: Json) -> Self:
        """The xlarge release: 24 layers, H 2048, 58,724,864 backbone parameters."""
        return cls._named("xlarge", version, overrides)

    @classmethod
    def xxlarge(cls, version: int = 2, **overrides: Json) -> Self:
        """The xxlarge release: 12 layers, H 4096, 222,595,584 backbone parameters."""
        return cls._named("xxlarge", version, overrides)

    @classmethod
    def _named(cls, size: str, version: int, overrides: Record) -> Self:
        if version not in (1, 2):
            raise ConfigError(f"`version` must be 1 or 2, the two published releases. Received: {abbreviate(version)}.")
        # Version 1 was trained with dropout, but for xxlarge; version 2 without. The published configs name the
        # activation `gelu` in version 1 and `gelu_new` in version 2; the original code computes the tanh form of both.
        dropout = 0.1 if version == 1 and size != "xxlarge" else 0
        release = {
            **SIZES[size]._asdict(),
            "hidden_act": "gelu" if version == 1 else "gelu_new",
            "hidden_dropout_prob": dropout,
            "attention_probs_dropout_prob": dropout,
        }
        return cls(**(release | overrides))

    def num_parameters(self, model: str = "Model") -> int:
        """Number of parameters, counted from the weight table: of the backbone with pooler, or of `Albert{model}`.

        `model` is a class name or the part of it behind `Albert`, such as `ForPreTraining`.
        """
        model = model.removeprefix("Albert")
        if model not in weight_table.PARTS:
            near = did_you_mean(model, weight_table.PARTS)
            raise ConfigError(f"`model` must be one of {', '.join(weight_table.PARTS)}. Received: {model!r}.{near}")
        return weight_table.count(self, model)

    @classmethod
    def _own_keys(cls) -> Sequence[str]:
        return _OWN_KEYS

    @classmethod
    def _is_attribute(cls, key: str) -> bool:
        return super()._is_attribute(key) or hasattr(AlbertConfig, key)

    @property
    def group_of_layer(self) -> list[int]:
        """The group whose weights each of the `num_hidden_layers` runs."""
        per_group = self.num_hidden_layers / self.num_hidden_groups
        return [int(layer / per_group) for layer in range(self.num_hidden_layers)]

    @property
    def head_dropout(self) -> float:
        """The dropout before a classifier: `classifier_dropout_prob`, or `hidden_dropout_prob` where that is None."""
        chosen = self.classifier_dropout_prob
        return self.hidden_dropout_prob if chosen is None else chosen

    def _disagreements(self) -> Iterable[str]:
        """What is wrong with values that are right by themselves."""
        if self.hidden_size % self.num_attention_heads:
            yield (
                "`hidden_size` must be divisible by `num_attention_heads`. Received: "
                f"{self.hidden_size} and {self.num_attention_heads}. The published sizes use heads of width 64 or 128."
            )
        if self.num_hidden_layers * self.inner_group_num > LAYERS:
            yield (
                f"`num_hidden_layers` times `inner_group_num` must be at most {LAYERS:,}. Received: "
                f"{self.num_hidden_layers} and {self.inner_group_num}. The deepest published model has 24 layers."
            )
        pad = self.pad_token_id
        if pad is not None and not -self.vocab_size <= pad < self.vocab_size:
            yield (
                "`pad_token_id` must lie inside the vocabulary. Received: "
                f"{pad!r} with `vocab_size` {self.vocab_size}. Set it to None if there is no padding."
            )
        yield from super()._disagreements()


_OWN_KEYS = tuple(inspect.signature(AlbertConfig.__init__).parameters)[1:-1]
