"""AlbertWordPieceTokenizer: the WordPiece tokenizer of the ALBERTs that come with a `vocab.txt`, the Chinese ones."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers

from albertkit import storage
from albertkit.errors import CheckpointError, CheckpointNotFound
from albertkit.tokenization import bounds, files
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.guard import guarded
from albertkit.tokenization.tokenizers_segmenter import TokenizersSegmenter


class AlbertWordPieceTokenizer(AlbertTokenizerBase):
    """Text -> WordPiece tokens, as BERT's tokenizer (arXiv 1810.04805), whose vocabulary the Chinese ALBERTs took over.

    Every Chinese character is a token by itself, with `tokenize_chinese_chars`; other words are cut into the longest
    known pieces from the left. `strip_accents` None follows `do_lower_case`. Ids of the published Chinese vocabulary:
    [PAD] 0, [UNK] 100, [CLS] 101, [SEP] 102, [MASK] 103. CheckpointNotFound where `vocab_file` is missing,
    CheckpointError where it lacks `unk_token` or holds a token twice.
    """

    vocab_files_names: ClassVar[dict[str, str]] = {"vocab_file": files.VOCAB}
    saved_class: ClassVar[str] = "BertTokenizer"
    is_fast = True
    keeping_accents: ClassVar[str] = (
        "Load the tokenizer with strip_accents=False, or set `strip_accents` to false in its tokenizer_config.json."
    )
    _segmenter: TokenizersSegmenter

    def __init__(
        self,
        vocab_file: str | os.PathLike[str],
        do_lower_case: bool = True,
        unk_token: str | AddedToken = "[UNK]",
        sep_token: str | AddedToken = "[SEP]",
        pad_token: str | AddedToken = "[PAD]",
        cls_token: str | AddedToken = "[CLS]",
        mask_token: str | AddedToken = "[MASK]",
        tokenize_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        **keywords: Any,
    ) -> None:
        own = {name: value for name, value in locals().items() if name not in ("self", "keywords", "__class__")}
        vocabulary = _read(vocab_file)
        if str(unk_token) not in vocabulary:
            raise CheckpointError(f"A WordPiece vocabulary must hold {str(unk_token)!r}. {vocab_file} does not.")
        with guarded(vocab_file):
            backend = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token=str(unk_token)))
        backend.normalizer = normalizers.BertNormalizer(
            handle_chinese_chars=tokenize_chinese_chars, strip_accents=strip_accents, lowercase=do_lower_case
        )
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece(cleanup=False)
        super().__init__(TokenizersSegmenter(backend, str(vocab_file)), own, **keywords)
        self.vocab_file = str(vocab_file)

    @property
    def backend_tokenizer(self) -> tokenizers.Tokenizer:
        """The tokenizer as an object of the tokenizers library."""
        return self._segmenter.backend

    @classmethod
    def _vocabulary_files(cls, folder: storage.Folder, stated: Mapping[str, object]) -> dict[str, Path | None]:
        return {"vocab_file": folder.require(files.VOCAB)}

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text that tokens stand for, special tokens set off by spaces: "[CLS] hello world [SEP]"."""
        return self._segmenter.decode_pieces(tokens).strip()

    def save_vocabulary(
        self, save_directory: str | os.PathLike[str], filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write `vocab.txt`, and say where."""
        path = Path(save_directory) / (files.prefix(filename_prefix) + files.VOCAB)
        entries = sorted(self._segmenter.backend.get_vocab(with_added_tokens=False).items(), key=lambda item: item[1])
        storage.write_text(path, "".join(f"{token}\n" for token, _ in entries))
        return (str(path),)


def _read(path: str | os.PathLike[str]) -> dict[str, int]:
    """A `vocab.txt`, one token a line, as token -> line number."""
    if Path(path).is_dir() or not Path(path).exists():
        raise CheckpointNotFound(
            f"A WordPiece vocabulary is a file such as vocab.txt. Received: {path}, where there is none."
        )
    lines = storage.read_text(path, limit=files.LIMIT).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    bounds.require_entries(path, lines)
    vocabulary = {line.rstrip("\r"): number for number, line in enumerate(lines)}
    if len(vocabulary) != len(lines):
        raise CheckpointError(
            f"Each token of a vocabulary must stand once. {path} holds {len(lines) - len(vocabulary)} twice."
        )
    return vocabulary
