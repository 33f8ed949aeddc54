"""What a tokenizer is made of and saved as: its settings, and the files of its folder.

A class of tokenizers says which vocabulary files it has; everything else is read and written here once.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, Self, cast

from tokenizers import AddedToken

from albertkit import loading, storage
from albertkit.tokenization import files, special_tokens
from albertkit.tokenization.options import UNLIMITED, require_side
from albertkit.tokenization.segmenter import Segmenter
from albertkit.tokenization.special_tokens import ROLES
from albertkit.tokenization.vocabulary import Vocabulary
from albertkit.typing import Json

logger = logging.getLogger(__name__)


class PretrainedTokenizer(Vocabulary):
    """A vocabulary with the settings of a tokenizer, and with the way to and from a folder.

    The folder's layout is that of Transformers. `model_max_length` counts tokens, special ones among them.
    """

    vocab_files_names: ClassVar[dict[str, str]]
    """The vocabulary files of a folder, by the keyword of the constructor that takes each."""
    saved_class: ClassVar[str] = "AlbertTokenizer"
    """`tokenizer_class` in tokenizer_config.json."""

    def __init__(
        self,
        segmenter: Segmenter,
        keywords: Mapping[str, Json],
        *,
        model_max_length: int | None = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        split_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool = False,
        additional_special_tokens: Iterable[str | AddedToken] | None = None,
        added_tokens_decoder: Mapping[int, AddedToken] | None = None,
        name_or_path: str = "",
        **kept: Json,
    ) -> None:
        """`keywords` are the class's own, special tokens among them; `kept` are keys that only the files know."""
        super().__init__(segmenter, {**kept, **keywords}, additional_special_tokens or (), added_tokens_decoder)
        self.model_max_length = UNLIMITED if model_max_length is None else int(model_max_length)
        self.padding_side = require_side(padding_side)
        self.truncation_side = require_side(truncation_side)
        self.split_special_tokens = split_special_tokens
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.name_or_path = name_or_path
        self.init_kwargs = {**kept, **keywords}

    def __repr__(self) -> str:
        limit = "no limit" if self.model_max_length >= UNLIMITED else f"at most {self.model_max_length} tokens"
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
        return chosen(*inputs, **{**vocabulary, **stated, **keywords})

    @classmethod
    def _class_for(cls, folder: storage.Folder) -> "type[PretrainedTokenizer]":
        """The class that a folder's files call for."""
        return cls

    @classmethod
    def _vocabulary_files(cls, folder: storage.Folder, stated: Mapping[str, object]) -> dict[str, Path | None]:
        """The vocabulary files of a folder, by the constructor's keywords. `stated` is what its other files say."""
        raise NotImplementedError

    def save_vocabulary(
        self, save_directory: str | os.PathLike[str], filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write the vocabulary file, and say where."""
        raise NotImplementedError

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write all files of the tokenizer as one step, and say where. Transformers reads them.

        `filename_prefix` and a hyphen stand before every name. CheckpointError where the folder cannot be written.
        """
        prefix = files.prefix(filename_prefix)
        stale = [prefix + name for name in files.PATTERNS]
        with storage.atomic_replace(save_directory, head=prefix + files.CONFIG, stale=stale) as staging:
            names = self.write(staging, filename_prefix)
        return tuple(str(Path(save_directory) / name) for name in names)

    def write(self, folder: Path, filename_prefix: str | None = None) -> list[str]:
        """Write the files of `save_pretrained` plainly, for a caller that gathers more files in the same step.

        Returns the names of all files that the folder then has.
        """
        roles = {role: special_tokens.fields(token) for role, token in self._special.items() if token}
        for fields in roles.values():
            del fields["special"]
        additional = {"additional_special_tokens": self.additional_special_tokens} if self._additional else {}
        new = {token: index for token, index in self.added_tokens_encoder.items() if index >= self.vocab_size}
        files.write(folder, files.prefix(filename_prefix), self._config(), roles | additional, new)
        self.save_vocabulary(folder, filename_prefix)
        return sorted(path.name for path in folder.iterdir())

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
        own = {key: value for key, value in self.init_kwargs.items() if key not in (*ROLES, *self.vocab_files_names)}
        return own | self.special_tokens_map | settings
