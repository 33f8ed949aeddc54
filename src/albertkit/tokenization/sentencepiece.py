"""AlbertTokenizer: the SentencePiece tokenizer of the English and most other ALBERTs."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import sentencepiece
from tokenizers import AddedToken

from albertkit import storage
from albertkit.errors import CheckpointNotFound
from albertkit.tokenization import bounds, files
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.cleaning_setting import CleaningSetting
from albertkit.tokenization.normalizer import AlbertNormalizer
from albertkit.tokenization.sentencepiece_segmenter import SentencePieceSegmenter
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer
from albertkit.typing import Record


class AlbertTokenizer(AlbertTokenizerBase):
    """Text -> SentencePiece tokens, as `FullTokenizer` of the original release: normalized, cut, commas off digits.

    `do_lower_case`, `remove_space` (collapse white space) and `keep_accents` say how text is normalized first; see
    AlbertNormalizer. `sp_model_kwargs` may hold `enable_sampling`, `nbest_size` and `alpha`: then texts are cut at
    random (subword regularisation, arXiv 1804.10959). Ids of the published vocabulary: <pad> 0, <unk> 1, [CLS] 2,
    [SEP] 3, [MASK] 4. CheckpointNotFound where `vocab_file` is missing, CheckpointError where it is no SentencePiece
    model.
    """

    vocab_files_names: ClassVar[dict[str, str]] = {"vocab_file": files.SPIECE}
    do_lower_case, remove_space, keep_accents = CleaningSetting(), CleaningSetting(), CleaningSetting()
    _segmenter: SentencePieceSegmenter

    def __init__(
        self,
        vocab_file: str | os.PathLike[str],
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
        sp_model_kwargs: dict[str, float | None] | None = None,
        **keywords: Any,
    ) -> None:
        own = {name: value for name, value in locals().items() if name not in ("self", "keywords", "__class__")}
        normalizer = AlbertNormalizer(do_lower_case, remove_space, keep_accents)
        model, sampling = read_vocabulary(vocab_file), sp_model_kwargs or {}
        segmenter = SentencePieceSegmenter(model, normalizer, str(vocab_file), **sampling)
        super().__init__(segmenter, {**own, "mask_token": to_mask_token(mask_token)}, **keywords)
        self.vocab_file = str(vocab_file)
        self.sp_model_kwargs = sampling

    @property
    def sp_model(self) -> sentencepiece.SentencePieceProcessor:
        """The model as an object of the SentencePiece library, without the rules of ALBERT around it."""
        return self._segmenter.processor

    def _clean_with(self, settings: Record) -> None:
        self._segmenter.clean_with(albert_normalizer(settings))

    @classmethod
    def _class_for(cls, folder: storage.Folder) -> type[AlbertTokenizerBase]:
        return cls if folder.file(files.SPIECE) or not folder.file(files.VOCAB) else AlbertWordPieceTokenizer

    @classmethod
    def _vocabulary_files(cls, folder: storage.Folder, stated: Mapping[str, object]) -> dict[str, Path | None]:
        return {"vocab_file": folder.file(files.SPIECE) or folder.path / files.SPIECE}

    def _vocabulary_contents(self) -> dict[str, Callable[[], bytes]]:
        return {files.SPIECE: lambda: self._segmenter.model}


def read_vocabulary(path: str | os.PathLike[str]) -> bytes:
    """The contents of a SentencePiece model, checked for what would take endless memory.

    CheckpointNotFound where there is no such file, CheckpointError for what is beyond the bounds.
    """
    rule = "A vocabulary is a SentencePiece model, a file such as spiece.model."
    if Path(path).is_dir():
        raise CheckpointNotFound(
            f"{rule} Received: {path}, a folder. For a folder call from_pretrained; for one with only tokenizer.json "
            "AlbertTokenizerFast.from_pretrained."
        )
    if not Path(path).exists():
        raise CheckpointNotFound(
            f"{rule} Received: {path}, where there is none. Copy it there from the tokenizer that the model was "
            "trained with; a folder with only tokenizer.json is for AlbertTokenizerFast.from_pretrained."
        )
    model = storage.read_bytes(path, limit=files.LIMIT)
    bounds.require_spiece(path, model)
    return model


def albert_normalizer(settings: Record) -> AlbertNormalizer:
    """The normalizer that the settings of a tokenizer ask for."""
    return AlbertNormalizer(*(settings[name] for name in ("do_lower_case", "remove_space", "keep_accents")))


def to_mask_token(mask_token: str | AddedToken) -> AddedToken:
    """[MASK] as the published tokenizers have it: the space before it is its own. An AddedToken is left as it is."""
    return mask_token if isinstance(mask_token, AddedToken) else AddedToken(mask_token, lstrip=True, normalized=False)
