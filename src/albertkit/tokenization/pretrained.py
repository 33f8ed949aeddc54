"""What a tokenizer is made of and saved as: its settings, and the files of its folder.

A class of tokenizers says which vocabulary files it has; everything else is read and written here once.
"""

import difflib
import functools
import inspect
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, Unpack, cast

from tokenizers import AddedToken

from albertkit import hub, hub_upload, loading, storage
from albertkit.errors import InputError, NameConflict
from albertkit.tokenization import files, special_tokens
from albertkit.tokenization.options import NO_LIMIT, UNLIMITED, EncodingOptions, require_side
from albertkit.tokenization.segmenter import Segmenter
from albertkit.tokenization.special_tokens import ROLES, TokenLike
from albertkit.tokenization.vocabulary import Vocabulary
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)

MODEL_INPUT_NAMES = ["input_ids", "token_type_ids", "attention_mask"]

_OF_OTHER_LOADERS = ("use_fast", "tokenizer_type")
"""Keywords by which Transformers chooses a class of tokenizers."""
_INSTEAD = {
    "strip_accents": "A SentencePiece tokenizer has `keep_accents`, which is the opposite.",
    "keep_accents": "A WordPiece tokenizer has `strip_accents`, which is the opposite.",
    "lowercase": "Is `do_lower_case` meant?",
    "max_length": "Is `model_max_length` meant? The option of a call is tokenizer(texts, max_length=...).",
}
"""What is said of keywords that a tokenizer does not read, where that is not the option of a call of the same name."""


@functools.cache
def _constructor_names(cls: type) -> frozenset[str]:
    """What the constructor of a class of tokenizers and those above it take."""
    makers = [one.__init__ for one in cls.__mro__ if "__init__" in vars(one)]
    return frozenset(name for maker in makers for name in inspect.signature(maker).parameters)


@functools.cache
def _names_of_settings(cls: type) -> frozenset[str]:
    """The settings of a class of tokenizers: what its constructor and those above it take, and what its files state."""
    return _constructor_names(cls) | {*files.RULES, *files.NOT_TAKEN, *hub.OPTIONS}


class PretrainedTokenizer(Vocabulary):
    """A vocabulary with the settings of a tokenizer, and with the way to and from a folder.

    The folder's layout is that of Transformers. `model_max_length` counts tokens, special ones among them.
    """

    vocab_files_names: ClassVar[dict[str, str]]
    """The vocabulary files of a folder, by the keyword of the constructor that takes each."""
    model_input_names: list[str] = MODEL_INPUT_NAMES
    """The columns of a call, the first of them that of the ids, which `pad` goes by."""
    init_inputs = ()
    """Positional arguments of the constructor that are saved, as Transformers has them: none, all are keywords."""
    saved_class: ClassVar[str] = "AlbertTokenizer"
    """`tokenizer_class` in tokenizer_config.json."""

    def __init__(
        self,
        segmenter: Segmenter,
        keywords: Mapping[str, Json],
        *,
        model_max_length: int | None = None,
        max_len: int | None = None,
        model_input_names: Sequence[str] | None = None,
        verbose: bool = False,
        padding_side: str = "right",
        truncation_side: str = "right",
        split_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool = False,
        additional_special_tokens: Iterable[str | AddedToken] | None = None,
        extra_special_tokens: Mapping[str, TokenLike] | Sequence[TokenLike] | None = None,
        added_tokens_decoder: Mapping[int, AddedToken] | None = None,
        name_or_path: str = "",
        **kept: Json,
    ) -> None:
        """`keywords` are the class's own, special tokens among them; `kept` are keys that only the files know.

        `max_len` is what old releases call `model_max_length`. `extra_special_tokens` are tokens with a role of the
        model's own, by its name, or more of the `additional_special_tokens`.
        """
        files.require_flags({**keywords, "split_special_tokens": split_special_tokens})
        files.require_flags({"clean_up_tokenization_spaces": clean_up_tokenization_spaces})
        self._require_settings({**keywords, **kept})
        roles = extra_special_tokens if isinstance(extra_special_tokens, Mapping) else {}
        additional = [*(additional_special_tokens or ()), *(() if roles else extra_special_tokens or ())]
        super().__init__(segmenter, {**kept, **keywords}, additional, added_tokens_decoder, roles)
        limit = max_len if model_max_length is None else model_max_length
        self.model_max_length = UNLIMITED if limit is None else int(limit)
        if model_input_names is not None:
            self.model_input_names = kept["model_input_names"] = list(model_input_names)
        self.verbose = verbose
        self.padding_side = require_side(padding_side)
        self.truncation_side = require_side(truncation_side)
        self.split_special_tokens = split_special_tokens
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.name_or_path = name_or_path
        self.init_kwargs = {**kept, **keywords}

    @property
    def chat_template(self) -> Json:
        """The setting of this name, which nothing here reads: kept for whoever gave it, by default None."""
        return self.init_kwargs.get("chat_template")

    @classmethod
    def _require_settings(cls, keywords: Mapping[str, Json]) -> None:
        """NameConflict for the name of a method. Warns of a name that is nearly a setting's, for nobody reads it."""
        known = _names_of_settings(cls)
        for name in keywords:
            if callable(getattr(cls, name, None)):
                raise NameConflict(
                    f"A setting must have another name than the methods of {cls.__name__}. Received: {name!r}, which "
                    f"conflicts with the method {name}."
                )
            if name not in known and (near := difflib.get_close_matches(name, known, n=1, cutoff=0.85)):
                logger.warning(f"The tokenizer does not read {name!r}. Is `{near[0]}` meant?")

    def __repr__(self) -> str:
        limit = "no limit" if self.model_max_length >= NO_LIMIT else f"at most {self.model_max_length} tokens"
        return f"{type(self).__name__}({len(self)} tokens, {len(self) - self.vocab_size} of them added; {limit})"

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], *inputs: Json, **keywords: Json
    ) -> Self:
        """Read a tokenizer from a folder or from the hub. `keywords` override what its tokenizer_config.json says.

        Those of `hub.fetch`, such as `revision` and `local_files_only`, are taken too. A folder with a `vocab.txt` in
        place of a SentencePiece model, as the Chinese ALBERTs have, gives an AlbertWordPieceTokenizer whichever class
        is asked. CheckpointNotFound where there is no such folder or file, CheckpointError for files that no tokenizer
        can be read from.
        """
        fetching = loading.options(keywords)
        folder = files.fetch(pretrained_model_name_or_path, **fetching)
        with storage.open_folder(folder) as held:
            tokenizer = cls._read(held, *inputs, **{"name_or_path": str(pretrained_model_name_or_path), **keywords})
        return cast("Self", tokenizer)  # or an AlbertWordPieceTokenizer, which can do the same

    @classmethod
    def _read(cls, folder: storage.Folder, *inputs: Json, **keywords: Json) -> "PretrainedTokenizer":
        stated = files.read(folder)
        for name in _OF_OTHER_LOADERS:
            keywords.pop(name, None)
        if keywords.pop("from_slow", False):  # not from tokenizer.json
            stated[files.SEGMENTER] = "sentencepiece"
        chosen = cls._class_for(folder)
        saved = stated.pop("tokenizer_class", None) or chosen.saved_class
        if saved.removesuffix("Fast") not in (chosen.saved_class, cls.__name__, "PreTrainedTokenizer"):
            logger.warning(
                "%s was saved as a %s and is read as a %s: it may cut texts in another way than its model expects.",
                folder.path,
                saved,
                cls.__name__,
            )
        vocabulary = chosen._vocabulary_files(folder, stated)
        if keywords.get("max_len") is not None:  # which a folder states under the other name
            stated.pop("model_max_length", None)
        chosen._tell_unread(keywords)
        return chosen(*inputs, **{**vocabulary, **stated, **keywords})

    @classmethod
    def _tell_unread(cls, keywords: Mapping[str, Json]) -> None:
        """Warn of what was passed to `from_pretrained` and changes nothing: options of a call, settings of others."""
        calls = EncodingOptions.__dataclass_fields__
        for name in keywords:
            is_told = name in calls or name in files.FLAGS or name in _INSTEAD
            if is_told and name not in _constructor_names(cls) and keywords[name] is not None:
                call = f"It is an option of a call: tokenizer(texts, {name}={keywords[name]!r})."
                why = _INSTEAD.get(name) or (call if name in calls else "It is a setting of other tokenizers.")
                logger.warning(f"The tokenizer does not read {name!r}. {why}")

    @classmethod
    def _class_for(cls, folder: storage.Folder) -> "type[PretrainedTokenizer]":
        """The class that a folder's files call for."""
        return cls

    @classmethod
    def _vocabulary_files(cls, folder: storage.Folder, stated: Mapping[str, object]) -> dict[str, Path | None]:
        """The vocabulary files of a folder, by the constructor's keywords. `stated` is what its other files say."""
        raise NotImplementedError

    def _vocabulary_contents(self) -> dict[str, Callable[[], bytes]]:
        """The vocabulary files by name, with what makes their contents."""
        raise NotImplementedError

    def save_vocabulary(
        self,
        save_directory: str | os.PathLike[str],
        filename_prefix: str | None = None,
        legacy_format: bool | None = None,
    ) -> tuple[str, ...]:
        """Write the vocabulary files, and say where; see `save_pretrained`."""
        written = []
        contents = self._vocabulary_contents()
        for name in self._vocabulary_names(legacy_format):
            path = Path(save_directory) / (files.prefix(filename_prefix) + name)
            storage.write_bytes(path, contents[name]())
            written.append(str(path))
        return tuple(written)

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        legacy_format: bool | None = None,
        filename_prefix: str | None = None,
        push_to_hub: bool = False,
        repo_id: str | None = None,
        **uploading: Unpack[hub_upload.UploadOptions],
    ) -> tuple[str, ...]:
        """Write all files of the tokenizer as one step, and say where. Transformers reads them.

        `legacy_format` True leaves out tokenizer.json, False writes nothing but that of the vocabulary files.
        `filename_prefix` and a hyphen stand before every name. With `push_to_hub` the files are uploaded as well, to
        `repo_id` or a repository of the folder's name; `uploading` are the options of `hub_upload.upload`.
        CheckpointError where the folder cannot be written, InputError where the tokenizer lacks the vocabulary file.
        """
        self._vocabulary_names(legacy_format)
        hub_upload.require_options(push_to_hub, repo_id, uploading)
        prefix = files.prefix(filename_prefix)
        stale = [prefix + name for name in files.PATTERNS]
        with storage.atomic_replace(save_directory, head=prefix + files.CONFIG, stale=stale) as staging:
            names = self.write(staging, filename_prefix, legacy_format)
        if push_to_hub:
            hub_upload.upload(Path(save_directory), names, "Upload tokenizer", repo_id=repo_id, **uploading)
        return tuple(str(Path(save_directory) / name) for name in names)

    def push_to_hub(self, repo_id: str, **uploading: Unpack[hub_upload.UploadOptions]) -> object:
        """Upload the files of the tokenizer to a repository of the Hugging Face hub, made where there is none.

        `uploading` are the options of `hub_upload.upload`. Returns what the hub says of the commit.
        """
        return hub_upload.push_saved(lambda folder: self.write(Path(folder)), repo_id, "Upload tokenizer", uploading)

    def write(self, folder: Path, filename_prefix: str | None = None, legacy_format: bool | None = None) -> list[str]:
        """Write the files of `save_pretrained` plainly, for a caller that gathers more files in the same step.

        Returns the names of all files that the folder then has.
        """
        roles: dict[str, object] = {}
        for role, token in self.special_tokens_map_extended.items():
            if not isinstance(token, list):
                roles[role] = {name: value for name, value in special_tokens.fields(token).items() if name != "special"}
        additional = {"additional_special_tokens": self.additional_special_tokens} if self._additional else {}
        new = {token: index for token, index in self.added_tokens_encoder.items() if index >= self.vocab_size}
        files.write(folder, files.prefix(filename_prefix), self._config(), roles | additional, new)
        self.save_vocabulary(folder, filename_prefix, legacy_format)
        return sorted(path.name for path in folder.iterdir())

    def _vocabulary_names(self, legacy_format: bool | None) -> list[str]:
        """The vocabulary files that are written. InputError where there is none of the format that is asked for."""
        names = list(self._vocabulary_contents())
        if legacy_format is not None:
            names = [name for name in names if (name == files.TOKENIZER) is not legacy_format]
        if not names:
            missing = "none but tokenizer.json" if legacy_format else "no tokenizer.json"
            raise InputError(
                f"A tokenizer can be saved in the formats of its vocabulary files. Received: legacy_format="
                f"{legacy_format} for an {type(self).__name__} with {missing}. Leave legacy_format out."
            )
        return names

    def _settings(self, renamed: Mapping[str, str], new: Iterable[str | AddedToken]) -> Record:
        """The constructor's keywords for another vocabulary, its special tokens `renamed` and with `new` ones."""

        def under_its_name(token: AddedToken) -> AddedToken:
            return special_tokens.replace(token, content=renamed.get(token.content, token.content))

        roles = {role: token and under_its_name(token) for role, token in self._special.items()}
        own = {key: value for key, value in self.init_kwargs.items() if key not in (*self.vocab_files_names, *ROLES)}
        return {
            **{key: value for key, value in own.items() if key != files.SEGMENTER},
            **{role: token for role, token in roles.items() if role in self.init_kwargs},
            "additional_special_tokens": [*map(under_its_name, self._additional), *new],
            "extra_special_tokens": {role: under_its_name(token) for role, token in self._extra.items()},
            "model_max_length": self.model_max_length,
            "padding_side": self.padding_side,
            "truncation_side": self.truncation_side,
            "split_special_tokens": self.split_special_tokens,
            "clean_up_tokenization_spaces": self.clean_up_tokenization_spaces,
        }

    def _config(self) -> dict[str, object]:
        """The contents of tokenizer_config.json: keywords of the constructor, special tokens as text, and settings."""
        settings: dict[str, object] = {
            "model_max_length": self.model_max_length,
            "padding_side": self.padding_side,
            "truncation_side": self.truncation_side,
            "clean_up_tokenization_spaces": self.clean_up_tokenization_spaces,
            "tokenizer_class": self.saved_class,
            "added_tokens_decoder": {
                str(i): special_tokens.fields(token) for i, token in self.added_tokens_decoder.items()
            },
        }
        if self.split_special_tokens:
            settings["split_special_tokens"] = True
        if self._extra:
            settings["extra_special_tokens"] = self.extra_special_tokens
        own = {key: value for key, value in self.init_kwargs.items() if key not in (*ROLES, *self.vocab_files_names)}
        return own | self.special_tokens_map | settings
