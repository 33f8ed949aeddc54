"""AlbertTokenizerFast: the same tokens in many threads, and the reader of `tokenizer.json`."""

import json
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import tokenizers
from tokenizers import AddedToken

from albertkit import storage
from albertkit.errors import CheckpointError, CheckpointNotFound, InputError, WrongType, abbreviate
from albertkit.tokenization import bounds, files
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.cleaning_setting import CleaningSetting
from albertkit.tokenization.export import to_tokenizers
from albertkit.tokenization.file_kinds import own_reader
from albertkit.tokenization.guard import guarded
from albertkit.tokenization.learning import learn, split_line
from albertkit.tokenization.retraining import each_text, retrain
from albertkit.tokenization.sentencepiece import AlbertTokenizer, albert_normalizer, read_vocabulary, to_mask_token
from albertkit.tokenization.sentencepiece_segmenter import SentencePieceSegmenter
from albertkit.tokenization.tokenizers_segmenter import TokenizersSegmenter
from albertkit.typing import Record

logger = logging.getLogger(__name__)


class AlbertTokenizerFast(AlbertTokenizerBase):
    """ALBERT's tokenizer from either file that holds one.

    From `tokenizer_file`, a tokenizer.json, or a `tokenizer_object`, which is copied, it gives what the tokenizers
    library makes of that. From `vocab_file`, a spiece.model, it gives exactly the ids of AlbertTokenizer; then
    SentencePiece itself cuts the text, which is both exact and several times faster (docs/decisions/0002).
    `backend_tokenizer` is the tokenizer as an object of the tokenizers library, which `save_pretrained` writes as
    tokenizer.json.

    Where a folder holds both files, tokenizer.json is used, as in Transformers, unless the folder was saved by a
    tokenizer made from spiece.model. InputError without either file, CheckpointNotFound where the file is missing,
    CheckpointError where its library cannot use it.
    """

    vocab_files_names: ClassVar[dict[str, str]] = {"vocab_file": files.SPIECE, "tokenizer_file": files.TOKENIZER}
    is_fast = True
    do_lower_case, remove_space, keep_accents = CleaningSetting(), CleaningSetting(), CleaningSetting()
    slow_tokenizer_class = AlbertTokenizer
    _segmenter: SentencePieceSegmenter | TokenizersSegmenter

    def __init__(
        self,
        vocab_file: str | os.PathLike[str] | None = None,
        tokenizer_file: str | os.PathLike[str] | None = None,
        do_lower_case: bool = True,
        remove_space: bool = True,
        keep_accents: bool = False,
        bos_token: str | AddedToken = "[CLS]",
        eos_token: str | AddedToken = "[SEP]",
        unk_token: str | AddedToken = "<unk>",
        sep_token: str | AddedToken = "[SEP]",
        pad_token: str | AddedToken = "<pad>",
        cls_token: str | AddedToken = "[CLS]",
        mask_token: str | AddedToken = "[MASK]",
        *,
        tokenizer_object: tokenizers.Tokenizer | None = None,
        **keywords: Any,
    ) -> None:
        out = ("self", "keywords", "__class__", "tokenizer_object")
        own = {name: value for name, value in locals().items() if name not in out}
        keywords.pop(files.SEGMENTER, None)
        if tokenizer_object is not None:
            segmenter = TokenizersSegmenter(_copy(tokenizer_object))
        elif tokenizer_file is not None:
            segmenter = TokenizersSegmenter(_read(tokenizer_file), str(tokenizer_file))
        elif vocab_file is not None:
            segmenter = SentencePieceSegmenter(read_vocabulary(vocab_file), albert_normalizer(own), str(vocab_file))
        else:
            raise InputError(
                "AlbertTokenizerFast needs a `vocab_file` (spiece.model) or a `tokenizer_file` (tokenizer.json)."
            )
        super().__init__(segmenter, {**own, "mask_token": to_mask_token(mask_token)}, **keywords)
        self.vocab_file = None if vocab_file is None else str(vocab_file)
        self._warn_of_settings_without_effect()

    def _warn_of_settings_without_effect(self) -> None:
        if isinstance(self._segmenter, SentencePieceSegmenter):
            if self.init_kwargs.get("sp_model_kwargs"):
                logger.warning("This class does not cut text at random: `sp_model_kwargs` is one of AlbertTokenizer.")
            return
        clean = self._segmenter.cleaned
        for name, ordinary, found in (
            ("do_lower_case", True, clean("A") == clean("a")),
            ("keep_accents", False, clean("é") not in (clean("e"), "e")),
        ):
            if self.init_kwargs[name] not in (ordinary, found):
                logger.warning(
                    f"`{name}` is {self.init_kwargs[name]}, but {self._segmenter.source} alone decides how text is "
                    f"cleaned, and there it is {found}. Make the tokenizer from spiece.model: pass from_slow=True."
                )

    def _clean_with(self, settings: Record) -> None:
        if isinstance(self._segmenter, TokenizersSegmenter):
            raise InputError(
                "How text is cleaned can be set for a tokenizer made from spiece.model. Received: one made from "
                f"{self._segmenter.source}, which decides that alone. Load it with from_slow=True."
            )
        self._segmenter.clean_with(albert_normalizer(settings))

    def train_new_from_iterator(
        self,
        text_iterator: Iterable[str] | Iterable[Sequence[str]],
        vocab_size: int,
        length: int | None = None,
        new_special_tokens: Sequence[str | AddedToken] | None = None,
        special_tokens_map: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Self:
        """A tokenizer like this one, with a vocabulary of `vocab_size` entries learned from texts or batches of texts.

        Its special tokens are those of this one, under the new names that `special_tokens_map` gives, and
        `new_special_tokens`. One made from spiece.model learns with SentencePiece, and has `character_coverage` for an
        option; one made from tokenizer.json with the tokenizers library, whose trainer's options it takes and which
        shows `length` texts as its progress. InputError where the texts cannot fill the vocabulary.
        """
        renamed, new = special_tokens_map or {}, list(new_special_tokens or ())
        settings = self._settings(renamed, new)
        if isinstance(self._segmenter, TokenizersSegmenter):
            trained = retrain(self._segmenter.backend, text_iterator, vocab_size, new, renamed, length, **options)
            return type(self)(tokenizer_object=trained, **settings)
        if unknown := options.keys() - {"character_coverage"}:
            raise WrongType(f"SentencePiece learns with the option character_coverage. Received: {', '.join(unknown)}.")
        special = [renamed.get(token, token) for token in self.all_special_tokens] + list(map(str, new))
        pad, unk = (str(renamed.get(token, token)) for token in (self.pad_token, self.unk_token))
        lines = filter(None, map(self._segmenter.normalizer, each_text(text_iterator)))
        cut = (part for line in lines for part in split_line(line, Counter()))
        others = [token for token in special if token not in (pad, unk)]
        model = learn(cut, vocab_size, pad=pad, unknown=unk, special=others, **options)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / files.SPIECE
            path.write_bytes(model)
            made = type(self)(path, **settings)
        made.vocab_file = made.init_kwargs["vocab_file"] = None
        return made

    @property
    def add_prefix_space(self) -> bool:
        """The setting of this name, which changes nothing: every text begins a word."""
        return bool(self.init_kwargs.get("add_prefix_space", False))

    @property
    def backend_tokenizer(self) -> tokenizers.Tokenizer:
        """The tokenizer as an object of the tokenizers library."""
        if isinstance(self._segmenter, TokenizersSegmenter):
            return self._segmenter.backend
        return to_tokenizers(self._segmenter, self.cls_token, self.sep_token)

    @property
    def can_save_slow_tokenizer(self) -> bool:
        """Whether spiece.model is at hand, from which AlbertTokenizer is made."""
        return self._sentencepiece_model() is not None

    def _sentencepiece_model(self) -> bytes | None:
        if isinstance(self._segmenter, SentencePieceSegmenter):
            return self._segmenter.model
        return Path(self.vocab_file).read_bytes() if self.vocab_file and Path(self.vocab_file).is_file() else None

    @classmethod
    def _class_for(cls, folder: storage.Folder) -> type[AlbertTokenizerBase]:
        chosen = AlbertTokenizer._class_for(folder)
        return cls if chosen is AlbertTokenizer else chosen

    @classmethod
    def _vocabulary_files(cls, folder: storage.Folder, stated: Mapping[str, object]) -> dict[str, Path | None]:
        spiece, file = folder.file(files.SPIECE), folder.file(files.TOKENIZER)
        exact = stated.get(files.SEGMENTER) == "sentencepiece" and spiece
        return {
            "vocab_file": spiece if spiece or file else folder.path / files.SPIECE,
            "tokenizer_file": None if exact else file,
        }

    def _vocabulary_contents(self) -> dict[str, Callable[[], bytes]]:
        contents = {files.TOKENIZER: lambda: self.backend_tokenizer.to_str(pretty=True).encode()}
        model = self._sentencepiece_model()
        return contents if model is None else {**contents, files.SPIECE: lambda: model}

    def write(self, folder: Path, filename_prefix: str | None = None, legacy_format: bool | None = None) -> list[str]:
        """See PretrainedTokenizer.write."""
        if isinstance(self._segmenter, SentencePieceSegmenter):
            self.init_kwargs[files.SEGMENTER] = "sentencepiece"
        return super().write(folder, filename_prefix, legacy_format)


def _copy(backend: object) -> tokenizers.Tokenizer:
    """A tokenizer of the library that may be changed without its owner's."""
    if not isinstance(backend, tokenizers.Tokenizer):
        raise WrongType(f"`tokenizer_object` must be a tokenizers.Tokenizer. Received: {abbreviate(backend, 80)}.")
    return tokenizers.Tokenizer.from_str(backend.to_str())


def _read(path: str | os.PathLike[str]) -> tokenizers.Tokenizer:
    if not Path(path).exists():
        raise CheckpointNotFound(f"`tokenizer_file` must be a file. Received: {path}, where there is none.")
    if Path(path).is_dir():
        raise CheckpointNotFound(
            f"`tokenizer_file` must be a file. Received: {path}, a folder. For a folder call from_pretrained."
        )
    content = storage.read_bytes(path, limit=files.LIMIT)
    if content.lstrip()[:1] != b"{" and (way_out := own_reader(path, content)):
        raise CheckpointError(f"`tokenizer_file` must be a tokenizer.json. Received: {path}. {way_out}")
    with guarded(path):
        bounds.require_tokenizer(path, json.loads(content))
        return tokenizers.Tokenizer.from_buffer(content)
