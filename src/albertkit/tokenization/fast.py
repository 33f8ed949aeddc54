"""AlbertTokenizerFast: the same tokens in many threads, and the reader of `tokenizer.json`."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import tokenizers
from tokenizers import AddedToken

from albertkit import storage
from albertkit.errors import CheckpointNotFound, InputError
from albertkit.tokenization import bounds, files
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.export import to_tokenizers
from albertkit.tokenization.guard import guarded
from albertkit.tokenization.normalizer import AlbertNormalizer
from albertkit.tokenization.sentencepiece import AlbertTokenizer, read_vocabulary, to_mask_token
from albertkit.tokenization.sentencepiece_segmenter import SentencePieceSegmenter
from albertkit.tokenization.tokenizers_segmenter import TokenizersSegmenter


class AlbertTokenizerFast(AlbertTokenizerBase):
    """ALBERT's tokenizer from either file that holds one.

    From `tokenizer_file`, a tokenizer.json, it gives what the tokenizers library makes of that file. From `vocab_file`,
    a spiece.model, it gives exactly the ids of AlbertTokenizer; then SentencePiece itself cuts the text, which is both
    exact and several times faster (docs/decisions/0002). `backend_tokenizer` is the tokenizer as an object of the
    tokenizers library, which `save_pretrained` writes as tokenizer.json.

    Where a folder holds both files, tokenizer.json is used, as in Transformers, unless the folder was saved by a
    tokenizer made from spiece.model. InputError without either file, CheckpointNotFound where the file is missing,
    CheckpointError where its library cannot use it.
    """

    vocab_files_names: ClassVar[dict[str, str]] = {"vocab_file": files.SPIECE, "tokenizer_file": files.TOKENIZER}
    is_fast = True
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
        **keywords: Any,
    ) -> None:
        own = {name: value for name, value in locals().items() if name not in ("self", "keywords", "__class__")}
        keywords.pop(files.SEGMENTER, None)
        if tokenizer_file is not None:
            segmenter = TokenizersSegmenter(_read(tokenizer_file), str(tokenizer_file))
        elif vocab_file is not None:
            normalizer = AlbertNormalizer(do_lower_case, remove_space, keep_accents)
            segmenter = SentencePieceSegmenter(read_vocabulary(vocab_file), normalizer, str(vocab_file))
        else:
            raise InputError(
                "AlbertTokenizerFast needs a `vocab_file` (spiece.model) or a `tokenizer_file` (tokenizer.json)."
            )
        super().__init__(segmenter, {**own, "mask_token": to_mask_token(mask_token)}, **keywords)
        self.vocab_file = None if vocab_file is None else str(vocab_file)

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


def _read(path: str | os.PathLike[str]) -> tokenizers.Tokenizer:
    if not Path(path).exists():
        raise CheckpointNotFound(f"`tokenizer_file` must be a file. Received: {path}, where there is none.")
    content = storage.read_bytes(path, limit=files.LIMIT)
    with guarded(path):
        bounds.require_tokenizer(path, json.loads(content))
        return tokenizers.Tokenizer.from_buffer(content)
