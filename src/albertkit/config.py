"""AlbertConfig: the numbers that define a model, read from and written to `config.json`.

Knows no framework and no weights' values; it counts parameters from the weight table alone.
"""

import copy
import inspect
import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from albertkit import hub, storage, weight_table
from albertkit.config_keys import ACTIVATIONS, COMMON, LABELS, LAYERS, RULES, whole
from albertkit.config_keys import SIZES as SIZES_STATED
from albertkit.errors import ConfigError, abbreviate, did_you_mean

logger = logging.getLogger(__name__)

CONFIG_FILE = "config.json"

# One row a release: layers, width, heads, feed-forward width (arXiv 1909.11942, table 1; xlarge has 16 heads).
SIZES = {
    "base": (12, 768, 12, 3072),
    "large": (24, 1024, 16, 4096),
    "xlarge": (24, 2048, 16, 8192),
    "xxlarge": (12, 4096, 64, 16384),
}


class AlbertConfig:
    """The published keys of ALBERT with their published defaults, which describe the xxlarge size.

    Sizes in letters: V `vocab_size`, E `embedding_size`, H `hidden_size`, N `num_attention_heads`, F
    `intermediate_size`, P `max_position_embeddings`, T `type_vocab_size`, C `num_labels`. Layer i of
    `num_hidden_layers` runs the weights of group `int(i / (num_hidden_layers / num_hidden_groups))`, and a group runs
    its `inner_group_num` layers one after the other (arXiv 1909.11942, section 3.1).

    Further keywords are the keys common to all models of the Transformers layout (`id2label`, `num_labels`,
    `problem_type`, `output_attentions`, ...). Any other keyword raises ConfigError with the nearest known name, while
    unknown keys of a file are kept and written back.
    """

    model_type: ClassVar[str] = "albert"
    sub_configs: ClassVar[dict[str, Any]] = {}
    has_no_defaults_at_init: ClassVar[bool] = False
    attribute_map: ClassVar[dict[str, str]] = {}

    # Common keys that the models read.
    return_dict: bool
    output_attentions: bool
    output_hidden_states: bool
    tie_word_embeddings: bool
    gradient_checkpointing: bool
    chunk_size_feed_forward: int
    problem_type: str | None
    dtype: str | None
    name_or_path: str
    architectures: list[str] | None
    pruned_heads: dict[int, list[int]]

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
        **common: Any,
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
        self.__dict__.update(COMMON | {"pruned_heads": {}})
        self.id2label = {0: "LABEL_0", 1: "LABEL_1"}
        self.label2id = {"LABEL_0": 0, "LABEL_1": 1}
        self._attn_implementation = common.pop("attn_implementation", None)
        self.update(common)

    # ------------------------------------------------------------------------------------------------ named sizes

    @classmethod
    def base(cls, version: int = 2, **overrides: Any) -> Self:
        """The base release: 12 layers, H 768, 11,683,584 backbone parameters."""
        return cls._named("base", version, overrides)

    @classmethod
    def large(cls, version: int = 2, **overrides: Any) -> Self:
        """The large release: 24 layers, H 1024, 17,683,968 backbone parameters."""
        return cls._named("large", version, overrides)

    @classmethod
    def xlarge(cls, version: int = 2, **overrides: Any) -> Self:
        """The xlarge release: 24 layers, H 2048, 58,724,864 backbone parameters."""
        return cls._named("xlarge", version, overrides)

    @classmethod
    def xxlarge(cls, version: int = 2, **overrides: Any) -> Self:
        """The xxlarge release: 12 layers, H 4096, 222,595,584 backbone parameters."""
        return cls._named("xxlarge", version, overrides)

    @classmethod
    def _named(cls, size: str, version: int, overrides: dict[str, Any]) -> Self:
        if version not in (1, 2):
            raise ConfigError(f"`version` must be 1 or 2, the two published releases. Received: {abbreviate(version)}.")
        layers, width, heads, feed_forward = SIZES[size]
        # Version 1 was trained with dropout, but for xxlarge; version 2 without. The published configs name the
        # activation `gelu` in version 1 and `gelu_new` in version 2; the original code computes the tanh form of both.
        dropout = 0.1 if version == 1 and size != "xxlarge" else 0
        release = {
            "num_hidden_layers": layers,
            "hidden_size": width,
            "num_attention_heads": heads,
            "intermediate_size": feed_forward,
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

    # --------------------------------------------------------------------------------------------------- changing

    def update(self, changes: dict[str, Any]) -> None:
        """Set known keys from `changes`, then check the whole. ConfigError for an unknown key or a bad combination.

        After an error everything is as it was.
        """
        for key in changes:
            if key not in self._known():
                raise ConfigError(
                    f"AlbertConfig has no key `{key}`.{did_you_mean(key, self._known())} A key that only your own code"
                    " reads can be set as an attribute, or written into config.json."
                )
        before = dict(self.__dict__)
        try:
            self._absorb(changes)
        except BaseException:
            self.__dict__ = before
            raise

    def _absorb(self, values: dict[str, Any]) -> None:
        maps = ("id2label", "label2id")
        values = copy.deepcopy({key: value for key, value in values.items() if value is not None or key not in maps})
        num_labels = values.pop("num_labels", None)
        if "torch_dtype" in values:
            values.setdefault("dtype", values.pop("torch_dtype"))
        if str(values.get("dtype")).startswith("torch."):  # a torch.dtype, or its name
            values["dtype"] = str(values["dtype"]).removeprefix("torch.")
        if taken := [key for key in values if key.startswith("__") or hasattr(AlbertConfig, key)]:
            raise ConfigError(
                f"A key of a config must not be named like a method or property of AlbertConfig. Received: "
                f"{abbreviate(taken[0])}. Remove it, or give it another name."
            )
        self.__dict__.update(values)
        self._settle_labels(num_labels, values)
        self.validate()

    def _settle_labels(self, num_labels: int | None, given: dict[str, Any]) -> None:
        """Bring `num_labels`, `id2label` and `label2id` into agreement; the names win over the number."""
        id2label, label2id = given.get("id2label"), given.get("label2id")
        if num_labels is not None and (complaint := whole(LABELS).complaint("num_labels", num_labels)):
            raise ConfigError(complaint)
        if label2id is not None and not _maps(label2id, str, int):
            raise ConfigError(
                "`label2id` must map the name of each class to its number, such as {'no': 0, 'yes': 1}. Received: "
                f"{abbreviate(label2id)}."
            )
        if id2label is None and label2id is not None:
            id2label = {index: label for label, index in label2id.items()}
            _require_distinct("label2id", label2id, id2label)
        if id2label is not None:
            self.id2label = _numbered(id2label)
            self.label2id = {label: index for index, label in self.id2label.items()}
            if label2id and any(self.id2label.get(index) != label for label, index in label2id.items()):
                logger.warning("`label2id` and `id2label` contradict each other: using `id2label`.")
            if num_labels is not None and num_labels != len(self.id2label):
                logger.warning(
                    "`num_labels` is %s but `id2label` names %d: using the names.", num_labels, len(id2label)
                )
        elif num_labels is not None and num_labels != len(self.id2label or {}):
            self.num_labels = num_labels

    def changed(self, **changes: Any) -> Self:
        """A copy with some keys changed; see `update`. Labels keep their names where `num_labels` does not change."""
        config = copy.deepcopy(self)
        attention = changes.pop("attn_implementation", None)
        if changes:
            config.update(changes)
        config._attn_implementation = attention or config._attn_implementation
        return config

    @classmethod
    def _known(cls) -> set[str]:
        published = list(inspect.signature(AlbertConfig.__init__).parameters)[1:-1]
        return {*published, *COMMON, "id2label", "label2id", "num_labels", "torch_dtype"}

    @property
    def num_labels(self) -> int:
        """C, the number of classes: the length of `id2label`. Setting it renames them LABEL_0, LABEL_1, ..."""
        return len(self.id2label)

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        if complaint := whole(LABELS).complaint("num_labels", count):
            raise ConfigError(complaint)
        self.id2label = {index: f"LABEL_{index}" for index in range(count)}
        self.label2id = {label: index for index, label in self.id2label.items()}

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

    @property
    def torch_dtype(self) -> str | None:
        """Old name of `dtype`, the precision of the stored weights, e.g. "float32"."""
        return self.dtype

    @torch_dtype.setter
    def torch_dtype(self, value: Any) -> None:
        self.dtype = None if value is None else str(value).removeprefix("torch.")

    def with_named_results(self) -> Self:
        """A copy by which a model puts out its own results by name, and no hidden states or attentions."""
        return self.changed(return_dict=True, output_attentions=False, output_hidden_states=False)

    @property
    def use_return_dict(self) -> bool:
        """Whether models answer with named outputs where the call does not say."""
        return bool(self.return_dict)

    def get_text_config(self, decoder: bool = False) -> Self:
        """Itself: ALBERT has no nested configurations."""
        return self

    # --------------------------------------------------------------------------------------------------- checking

    def validate(self) -> None:
        """ConfigError naming the rule, the received values and the way out, if no model can be built from this."""
        for key, rule in RULES.items():
            if complaint := rule.complaint(key, getattr(self, key)):
                raise ConfigError(complaint)
        for complaint in self._disagreements():
            raise ConfigError(complaint)

    def _disagreements(self) -> Iterator[str]:
        """What is wrong with values that are right by themselves."""
        if self.hidden_size % self.num_attention_heads:
            yield (
                "`hidden_size` must be divisible by `num_attention_heads`. Received: "
                f"{self.hidden_size} and {self.num_attention_heads}. The published sizes use heads of width 64 or 128."
            )
        if self.num_hidden_groups > self.num_hidden_layers:
            yield (
                "`num_hidden_groups` must not exceed `num_hidden_layers`, or some groups would never run. Received: "
                f"{self.num_hidden_groups} and {self.num_hidden_layers}."
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
        if not self.id2label or set(self.id2label) != set(range(len(self.id2label))):
            yield (
                "`id2label` must number the classes from 0 without a gap. Received the numbers: "
                f"{abbreviate(list(self.id2label))}. Number them anew; the names may stay."
            )

    # --------------------------------------------------------------------------------------------- to and from files

    def to_dict(self) -> dict[str, Any]:
        """All keys and values, deeply copied, with `model_type`."""
        public = {key: value for key, value in self.__dict__.items() if not key.startswith("_")}
        return copy.deepcopy(public) | {"model_type": self.model_type}

    def to_diff_dict(self) -> dict[str, Any]:
        """What `config.json` holds: the ALBERT keys always, any other key where it differs from its default."""
        diff = {key: value for key, value in self.to_dict().items() if key not in COMMON or value != COMMON[key]}
        diff.pop("name_or_path", None)
        if all(label == f"LABEL_{index}" for index, label in self.id2label.items()) and self.num_labels == 2:
            del diff["id2label"], diff["label2id"]
        return diff

    def to_json_string(self, use_diff: bool = True) -> str:
        """JSON text with sorted keys, two spaces of indentation and a final newline."""
        if callable(self.hidden_act):
            raise ConfigError(
                f"`hidden_act` must be a name to be written to a file. Received: {self.hidden_act!r}. Set it to one of "
                f"{', '.join(ACTIVATIONS)} first."
            )
        return json.dumps(self.to_diff_dict() if use_diff else self.to_dict(), indent=2, sort_keys=True) + "\n"

    def to_json_file(self, json_file_path: str | os.PathLike[str], use_diff: bool = True) -> None:
        """Write `to_json_string` to a file."""
        storage.write_text(json_file_path, self.to_json_string(use_diff))

    def save_pretrained(self, save_directory: str | os.PathLike[str]) -> None:
        """Write `config.json` into a folder, which is made where it is missing."""
        self.to_json_file(Path(save_directory) / CONFIG_FILE)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], return_unused_kwargs: bool = False, **overrides: Any) -> Any:
        """Build from the contents of a `config.json`, whose unknown keys are kept, changed by typed `overrides`.

        Returns the config, or (config, unused overrides) with `return_unused_kwargs`; without it an unknown override
        raises ConfigError.
        """
        own = ("model_type", "_name_or_path", "_attn_implementation")
        stored = {key: value for key, value in config_dict.items() if key not in own}
        found = config_dict.get("model_type", cls.model_type)
        if found != cls.model_type:
            logger.warning("You are using a model of type %s to build a model of type %s.", found, cls.model_type)
        unused = {
            key: overrides.pop(key) for key in list(overrides) if return_unused_kwargs and key not in cls._known()
        }
        config = cls()
        names = stored.get("id2label") or {}
        if "num_labels" in overrides and isinstance(names, Mapping) and overrides["num_labels"] != len(names):
            stored = {key: value for key, value in stored.items() if key not in ("id2label", "label2id")}
        config._attn_implementation = overrides.pop("attn_implementation", None)
        config._absorb({**stored, **{key: overrides[key] for key in overrides if key in cls._known()}})
        if overrides:
            config.update(overrides)
        return (config, unused) if return_unused_kwargs else config

    @classmethod
    def from_json_file(cls, json_file: str | os.PathLike[str], **overrides: Any) -> Any:
        """Build from one JSON file, which must state the sizes of the model; see `from_dict` for `overrides`.

        CheckpointError where it is not valid JSON, ConfigError that names the file where no model can be built from it.
        """
        stated = storage.read_json(json_file)
        missing = [key for key in SIZES_STATED if key not in stated and key not in overrides]
        if missing:
            raise ConfigError(
                f"A config must state the sizes of its model. {json_file} lacks {', '.join(missing)}. Add them; the "
                "weights tell some by their shapes, and whoever trained the model knows the others."
            )
        try:
            return cls.from_dict(stated, **overrides)
        except ConfigError as error:
            raise ConfigError(f"{error} It stands in {json_file}.") from None

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        cache_dir: str | os.PathLike[str] | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        revision: str = "main",
        subfolder: str = "",
        **overrides: Any,
    ) -> Any:
        """Read `config.json` of a local folder or of a model on the hub; see `from_dict` for `overrides`.

        Raises CheckpointNotFound (an OSError) where there is none.
        """
        folder = hub.fetch(
            pretrained_model_name_or_path,
            [CONFIG_FILE],
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
            token=token,
            revision=revision,
            subfolder=subfolder,
        )
        hub.options(overrides)  # of which those that change nothing are left
        with storage.open_folder(folder) as held:
            return cls.from_json_file(held.require(CONFIG_FILE), **overrides)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AlbertConfig) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  (a config can change, so it has no hash)

    def __repr__(self) -> str:
        return f"{type(self).__name__} {json.dumps(self.to_diff_dict(), indent=2, sort_keys=True, default=repr)}\n"


def _maps(value: Any, keys: type | tuple[type, ...], values: type | tuple[type, ...]) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(key, keys) and isinstance(found, values) for key, found in value.items()
    )


def _numbered(id2label: Any) -> dict[int, Any]:
    """The names of classes by their number, which JSON writes as text. ConfigError where they are something else."""
    numbers = [str(index) for index in id2label] if _maps(id2label, (str, int), (str, int, float)) else ["?"]
    if not all(number.isascii() and number.isdigit() and len(number) < 8 for number in numbers):
        raise ConfigError(
            "`id2label` must map the number of each class to its name, such as {0: 'no', 1: 'yes'}. Received: "
            f"{abbreviate(id2label)}."
        )
    names = {int(index): str(label) for index, label in id2label.items()}
    _require_distinct("id2label", id2label, names)
    return names


def _require_distinct(key: str, stated: Mapping[Any, Any], names: Mapping[int, Any]) -> None:
    """ConfigError where two of the classes that a key states have one number, as "0" and "00" have."""
    if len(names) < len(stated):
        raise ConfigError(f"`{key}` must give each class a number of its own. Received: {abbreviate(stated)}.")
