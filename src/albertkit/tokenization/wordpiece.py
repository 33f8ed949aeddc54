"""AlbertWordPieceTokenizer: the WordPiece tokenizer of the ALBERTs that come with a `vocab.txt`, the Chinese ones."""

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers

from albertkit import storage
from albertkit.errors import CheckpointError, CheckpointNotFound
from albertkit.tokenization import bounds, files
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.cleaning_setting import CleaningSetting
from albertkit.tokenization.file_kinds import own_reader
from albertkit.tokenization.guard import guarded
from albertkit.tokenization.retraining import retrain
from albertkit.tokenization.tokenizers_segmenter import TokenizersSegmenter
from albertkit.typing import Record


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
    do_lower_case, tokenize_chinese_chars, strip_accents = CleaningSetting(), CleaningSetting(), CleaningSetting()
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
            raise CheckpointError(
                f"A WordPiece vocabulary must hold {str(unk_token)!r}. {vocab_file} does not. Pass its own unk_token."
            )
        with guarded(vocab_file):
            backend = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token=str(unk_token)))
        backend.normalizer = _normalizer(own)
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece(cleanup=False)
        # As BertTokenizer does, text is decoded without spaces before punctuation.
        settings = {"clean_up_tokenization_spaces": True, **keywords}
        super().__init__(TokenizersSegmenter(backend, str(vocab_file)), own, **settings)
        self.vocab_file: str | None = str(vocab_file)

    @property
    def backend_tokenizer(self) -> tokenizers.Tokenizer:
        """The tokenizer as an object of the tokenizers library."""
        return self._segmenter.backend

    def _clean_with(self, settings: Record) -> None:
        self._segmenter.clean_with(_normalizer(settings))

    def train_new_from_iterator(
        self,
        text_iterator: Iterable[str] | Iterable[Sequence[str]],
        vocab_size: int,
        length: int | None = None,
        new_special_tokens: Sequence[str | AddedToken] | None = None,
        special_tokens_map: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Self:
        """A tokenizer like this one with a vocabulary learned from texts; see AlbertTokenizerFast's."""
        renamed, new = special_tokens_map or {}, list(new_special_tokens or ())
        trained = retrain(self._segmenter.backend, text_iterator, vocab_size, new, renamed, length, **options)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / files.VOCAB
            path.write_bytes(_lines_of(trained))
            made = type(self)(path, **self._settings(renamed, new))
        made.vocab_file = made.init_kwargs["vocab_file"] = None
        return made

    @classmethod
    def _vocabulary_files(cls, folder: storage.Folder, stated: Mapping[str, object]) -> dict[str, Path | None]:
        return {"vocab_file": folder.require(files.VOCAB)}

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text that tokens stand for, special tokens set off by spaces: "[CLS] hello world [SEP]"."""
        return self._segmenter.decode_pieces(tokens).strip()

    def _vocabulary_contents(self) -> dict[str, Callable[[], bytes]]:
        return {files.VOCAB: lambda: _lines_of(self._segmenter.backend)}


def _lines_of(backend: tokenizers.Tokenizer) -> bytes:
    """A vocabulary as the contents of a `vocab.txt`."""
    entries = sorted(backend.get_vocab(with_added_tokens=False).items(), key=lambda item: item[1])
    return "".join(f"{token}\n" for token, _ in entries).encode()


def _normalizer(settings: Record) -> normalizers.Normalizer:
    files.require_flags(settings)
    return normalizers.BertNormalizer(
        handle_chinese_chars=settings["tokenize_chinese_chars"],
        strip_accents=settings["strip_accents"],
        lowercase=settings["do_lower_case"],
    )


def _read(path: str | os.PathLike[str]) -> dict[str, int]:
    """A `vocab.txt`, one token a line, as token -> line number."""
    if Path(path).is_dir() or not Path(path).exists():
        raise CheckpointNotFound(
            f"A WordPiece vocabulary is a file such as vocab.txt. Received: {path}, where there is none. For a folder "
            "call from_pretrained."
        )
    content = storage.read_bytes(path, limit=files.LIMIT)
    way_out = own_reader(path, content)
    if way_out and "AlbertWordPieceTokenizer(" not in way_out:
        raise CheckpointError(f"A WordPiece vocabulary has a token on each line. Received: {path}. {way_out}")
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
