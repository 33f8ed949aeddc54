"""PretrainedConfig: what a config of any model has. Its keys, their rules, its classes, and `config.json`.

The keys are those of the Transformers layout. Which of them a model adds is said by its own class.
"""

import copy
import functools
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from albertkit import config_labels, hub, loading, storage
from albertkit.config_keys import ACTIVATIONS, COMMON, REQUIRED_KEYS, RULES
from albertkit.errors import CheckpointNotFound, ConfigError, abbreviate, did_you_mean, nearest
from albertkit.hub import PathLike
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)

CONFIG_FILE = "config.json"
LABEL_KEYS = ("id2label", "label2id")


class PretrainedConfig:
    """The keys common to all models of the Transformers layout, checked whenever they change.

    An unknown key is kept and written back, whether it comes from a file or as a keyword, which is told; one that looks
    like a known key with a typing error raises ConfigError. A subclass states its own keys in its constructor, which
    ends with `_set_common`.
    """

    model_type: ClassVar[str]
    sub_configs: ClassVar[dict[str, Any]] = {}
    has_no_defaults_at_init: ClassVar[bool] = False
    attribute_map: ClassVar[dict[str, str]] = {}

    # Common keys that the models read.
    hidden_act: str
    return_dict: bool
    output_attentions: bool
    output_hidden_states: bool
    tie_word_embeddings: bool
    gradient_checkpointing: bool
    chunk_size_feed_forward: int
    start_n_top: int
    end_n_top: int
    problem_type: str | None
    sentence_pooling: str
    sentence_special_tokens: bool
    sentence_normalize: bool
    sentence_temperature: float
    early_exit: bool
    early_exit_patience: int
    early_exit_threshold: float | None
    dtype: str | None
    name_or_path: str
    architectures: list[str] | None
    pruned_heads: dict[int, list[int]]
    id2label: dict[int, str]
    label2id: dict[str, int]

    def _set_common(self, keys: Record) -> None:
        """Give the common keys their defaults, then those in `keys` their values. ConfigError as in `update`."""
        self.__dict__.update(COMMON | {"pruned_heads": {}})
        self.num_labels = 2
        self._attn_implementation = keys.pop("attn_implementation", None)
        self.update(keys)

    @classmethod
    def _own_keys(cls) -> Sequence[str]:
        """The keys that a model has beside the common ones."""
        raise NotImplementedError

    @classmethod
    def _known_keys(cls) -> set[str]:
        return {*cls._own_keys(), *COMMON, *LABEL_KEYS, "num_labels", "torch_dtype"}

    @classmethod
    def _is_attribute(cls, key: str) -> bool:
        """Whether a key would take the place of a method or property."""
        return key.startswith("__") or hasattr(PretrainedConfig, key)

    def update(self, changes: Record) -> None:
        """Set keys from `changes`, then check the whole. An unknown key is kept, which is told once.

        ConfigError for a key that is nearly a known one, and for a bad combination. After an error everything is as it
        was.
        """
        for key in self._unknown(changes):
            if _meant_key(key, self._known_keys()):
                raise self._no_such_key(key)
            if not self._is_attribute(key):
                _tell_that_it_is_kept(type(self).__name__, key)
        before = dict(self.__dict__)
        try:
            self._set(changes)
        except BaseException:
            self.__dict__ = before
            raise

    def _unknown(self, changes: Record) -> list[str]:
        known = self._known_keys() | self.__dict__.keys()
        return [key for key in changes if key not in known]

    def _no_such_key(self, key: str) -> ConfigError:
        known = self._known_keys()
        near = did_you_mean(_meant_key(key, known) or key, known)
        return ConfigError(
            f"{type(self).__name__} has no key `{key}`.{near} A key that only your own code reads can be set as an "
            "attribute, or written into config.json."
        )

    def _set(self, values: Record) -> None:
        """Set keys, known or not, and check the whole."""
        values = copy.deepcopy(
            {key: value for key, value in values.items() if not (value is None and key in LABEL_KEYS)}
        )
        labels = [values.pop(key, None) for key in ("num_labels", *LABEL_KEYS)]
        if "torch_dtype" in values:
            values.setdefault("dtype", values.pop("torch_dtype"))
        if str(values.get("dtype")).startswith("torch."):  # a torch.dtype, or its name
            values["dtype"] = str(values["dtype"]).removeprefix("torch.")
        if taken := [key for key in values if self._is_attribute(key)]:
            raise ConfigError(
                f"A key of a config must not be named like a method or property of {type(self).__name__}. Received: "
                f"{abbreviate(taken[0])}. Remove it, or give it another name."
            )
        self.__dict__.update(values)
        names = config_labels.id2label_of(*labels, present=self.id2label)
        if names is not self.id2label:
            self.id2label, self.label2id = names, config_labels.inverse(names)
        self.validate()

    def changed(self, **changes: Json) -> Self:
        """A copy with some keys changed, of those that it has. Labels keep their names where `num_labels` stays.

        ConfigError for an unknown key, and for a bad combination.
        """
        config = copy.deepcopy(self)
        attention = changes.pop("attn_implementation", None)
        for key in self._unknown(changes):
            raise self._no_such_key(key)
        if changes:
            config.update(changes)
        config._attn_implementation = attention or config._attn_implementation
        return config

    def overridden(self, model: str, keywords: Record, **changes: Json) -> Self:
        """`changed` by keywords that a model's `from_pretrained` was given. ConfigError where one is no key."""
        loading.require_keys(model, keywords, {*self._known_keys(), "attn_implementation"})
        return self.changed(**keywords, **changes)

    def validate(self) -> None:
        """ConfigError naming the rule, the received values and the way out, if no model can be built from this."""
        for key, rule in RULES.items():
            if complaint := rule.complaint(key, getattr(self, key)):
                raise ConfigError(complaint)
        for complaint in self._disagreements():
            raise ConfigError(complaint)

    def _disagreements(self) -> Iterable[str]:
        """What is wrong with values that are right by themselves, in sentences."""
        return config_labels.disagreements(self.id2label)

    @property
    def num_labels(self) -> int:
        """C, the number of classes: the length of `id2label`. Setting it renames them LABEL_0, LABEL_1, ..."""
        return len(self.id2label)

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        self.id2label = config_labels.default_labels(count)
        self.label2id = config_labels.inverse(self.id2label)

    @property
    def torch_dtype(self) -> str | None:
        """Old name of `dtype`, the precision of the stored weights, e.g. "float32"."""
        return self.dtype

    @torch_dtype.setter
    def torch_dtype(self, value: object) -> None:
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

    def to_dict(self) -> Record:
        """All keys and values, deeply copied, with `model_type`."""
        public = {key: value for key, value in self.__dict__.items() if not key.startswith("_")}
        return copy.deepcopy(public) | {"model_type": self.model_type}

    def to_diff_dict(self) -> Record:
        """What `config.json` holds: the ALBERT keys always, any other key where it differs from its default."""
        diff = {key: value for key, value in self.to_dict().items() if key not in COMMON or value != COMMON[key]}
        diff.pop("name_or_path", None)
        if config_labels.are_default(self.id2label) and self.num_labels == 2:
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

    def to_json_file(self, json_file_path: PathLike, use_diff: bool = True) -> None:
        """Write `to_json_string` to a file."""
        storage.write_text(json_file_path, self.to_json_string(use_diff))

    def save_pretrained(self, save_directory: PathLike) -> None:
        """Write `config.json` into a folder, which is made where it is missing."""
        self.to_json_file(Path(save_directory) / CONFIG_FILE)

    @classmethod
    def from_dict(cls, config_dict: Record, return_unused_kwargs: bool = False, **overrides: Json) -> Any:
        """Build from the contents of a `config.json`, whose unknown keys are kept, changed by typed `overrides`.

        Returns the config, or (config, unused overrides) with `return_unused_kwargs`; without it an unknown override
        raises ConfigError.
        """
        own = ("model_type", "_name_or_path", "_attn_implementation")
        stored = {key: value for key, value in config_dict.items() if key not in own}
        model_type = config_dict.get("model_type", cls.model_type)
        if model_type != cls.model_type:
            logger.warning(
                "This config is one of model_type %s, and is read as one of %s: check that it belongs to the model.",
                model_type,
                cls.model_type,
            )
        known = cls._known_keys()
        unused = {key: overrides.pop(key) for key in list(overrides) if return_unused_kwargs and key not in known}
        names = stored.get("id2label") or {}
        if "num_labels" in overrides and isinstance(names, Mapping) and overrides["num_labels"] != len(names):
            stored = {key: value for key, value in stored.items() if key not in LABEL_KEYS}
        config = cls()
        config._attn_implementation = overrides.pop("attn_implementation", None)
        config._set({**stored, **{key: value for key, value in overrides.items() if key in known}})
        for key in config._unknown(overrides):
            raise config._no_such_key(key)
        if overrides:
            config.update(overrides)
        return (config, unused) if return_unused_kwargs else config

    @classmethod
    def from_json_file(cls, json_file: PathLike, **overrides: Json) -> Any:
        """Build from one JSON file, which must state the sizes of the model; see `from_dict` for `overrides`.

        CheckpointError where it is not valid JSON, ConfigError that names the file where no model can be built from it.
        """
        if Path(json_file).is_dir():
            raise CheckpointNotFound(
                f"A config is read from its file. Received: {json_file}, which is a folder. "
                f"{cls.__name__}.from_pretrained({str(json_file)!r}) reads the config of a folder."
            )
        stated = storage.read_json(json_file)
        missing = [key for key in REQUIRED_KEYS if key not in stated and key not in overrides]
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
        pretrained_model_name_or_path: PathLike,
        *,
        cache_dir: PathLike | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        revision: str = "main",
        subfolder: str | None = "",
        **overrides: Json,
    ) -> Any:
        """Read `config.json` of a local folder or of a model on the hub; see `from_dict` for `overrides`.

        Raises CheckpointNotFound (an OSError) where there is none.
        """
        found = loading.options(overrides)  # the old name of `token`; and those that change nothing are left
        folder = hub.fetch(
            pretrained_model_name_or_path,
            [CONFIG_FILE],
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
            token=found.get("token") if token is None else token,
            revision=revision,
            subfolder=subfolder,
        )
        with storage.open_folder(folder) as opened:
            return cls.from_json_file(opened.require(CONFIG_FILE), **overrides)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PretrainedConfig) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  (a config can change, so it has no hash)

    def __repr__(self) -> str:
        return f"{type(self).__name__} {json.dumps(self.to_diff_dict(), indent=2, sort_keys=True, default=repr)}\n"


def _meant_key(key: str, known: set[str]) -> str | None:
    """The known key that another one nearly is, as `hiden_size`, or says a part of, as `num_layers`."""
    words = set(key.split("_"))
    whole = [name for name in sorted(known) if len(words) > 1 and words <= set(name.split("_"))]
    return whole[0] if whole else nearest(key, known, cutoff=0.75)


@functools.cache
def _tell_that_it_is_kept(config: str, key: str) -> None:
    logger.warning("%s has no key `%s`: it is kept and saved, but nothing here reads it.", config, key)
