"""The tokenizer classes' common part: pairs, truncation, windows, padding, decoding, loading and saving.

A class chooses a segmenter (text <-> tokens) and its vocabulary file; everything else is written here once.
"""

import dataclasses
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from tokenizers import AddedToken

from albertkit import hub, storage
from albertkit.errors import InputError
from albertkit.tokenization import batch, files
from albertkit.tokenization.batch import BatchEncoding
from albertkit.tokenization.encoding import Encoding, Tokens, Truncation, assemble
from albertkit.tokenization.options import UNLIMITED, Options, lengths, side
from albertkit.tokenization.segmenters import Segmenter, flattened
from albertkit.tokenization.vocabulary import ROLES, Vocabulary

logger = logging.getLogger(__name__)


class AlbertTokenizerBase(Vocabulary):
    """What the tokenizers share. Not made directly: see AlbertTokenizer and AlbertTokenizerFast."""

    model_input_names: ClassVar[list[str]] = ["input_ids", "token_type_ids", "attention_mask"]
    vocab_files_names: ClassVar[dict[str, str]]
    saved_class: ClassVar[str] = "AlbertTokenizer"
    """`tokenizer_class` in tokenizer_config.json."""
    pad_token_type_id = 0
    is_fast = False

    def __init__(
        self,
        segmenter: Segmenter,
        keywords: Mapping[str, Any],
        *,
        model_max_length: int | None = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        split_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool = False,
        additional_special_tokens: Iterable[str | AddedToken] | None = None,
        added_tokens_decoder: Mapping[int, AddedToken] | None = None,
        name_or_path: str = "",
        **kept: Any,
    ) -> None:
        """`keywords` are the class's own, special tokens among them; `kept` are keys that only the files know."""
        super().__init__(segmenter, {**kept, **keywords}, additional_special_tokens or (), added_tokens_decoder)
        self.model_max_length = UNLIMITED if model_max_length is None else int(model_max_length)
        self.padding_side = side(padding_side)
        self.truncation_side = side(truncation_side)
        self.split_special_tokens = split_special_tokens
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.name_or_path = name_or_path
        self.init_kwargs = {**kept, **keywords}
        self._told_too_long = False

    def __repr__(self) -> str:
        limit = "no limit" if self.model_max_length >= UNLIMITED else f"at most {self.model_max_length} tokens"
        return f"{type(self).__name__}({len(self)} tokens, {len(self) - self.vocab_size} of them added; {limit})"

    @property
    def shares_fairly(self) -> bool:
        """How an odd place is shared between two texts under "longest_first"; see encoding.Truncation."""
        return self._segmenter.fair

    @property
    def max_len_single_sentence(self) -> int:
        """Tokens of one text that fit into the longest input."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=False)

    @property
    def max_len_sentences_pair(self) -> int:
        """Tokens of two texts that fit into the longest input."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=True)

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """2 for a text, 3 for a pair."""
        return 3 if pair else 2

    # ------------------------------------------------------------------------------------------------------ text -> ids

    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        text_target: Any = None,
        text_pair_target: Any = None,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        verbose: bool = True,
        split_special_tokens: bool | None = None,
    ) -> BatchEncoding:
        """Make model inputs of a text, of a pair, or of a list of either.

        `text` and `text_pair` are strings or lists of strings; with `is_split_into_words` lists of words or lists of
        those. `text_target` becomes the column `labels`.

        `padding` True or "longest" fills up to the longest row, "max_length" to `max_length`. `truncation` True or
        "longest_first", "only_first" or "only_second" cuts to `max_length`, by default `model_max_length`. What is cut
        off is counted in `.truncated`; with `return_overflowing_tokens` it comes back in windows that overlap by
        `stride` tokens, and `overflow_to_sample_mapping` says which text a window belongs to.

        Columns: input_ids, token_type_ids and attention_mask; special_tokens_mask, offset_mapping (half-open spans of
        the text, in which a token's leading space is its own) and length where asked for. `return_tensors` "np", "pt",
        "tf" or "jax" makes int64 arrays (B, L) of them.
        """
        given = locals()
        options = Options(**{field.name: given[field.name] for field in dataclasses.fields(Options)})
        if text is None and text_target is None:
            raise InputError("You need to specify either `text` or `text_target`.")
        if text is None:
            return self._encode(text_target, text_pair_target, options)
        encoded = self._encode(text, text_pair, options)
        if text_target is not None:
            encoded["labels"] = self._encode(text_target, text_pair_target, options)["input_ids"]
        return encoded

    def encode(self, text: Any, text_pair: Any = None, **options: Any) -> Any:
        """The ids of one text or pair; see `__call__` for the options."""
        return self(text, text_pair, **options)["input_ids"]

    def encode_plus(self, text: Any, text_pair: Any = None, **options: Any) -> BatchEncoding:
        """`__call__` for one text or pair."""
        return self(text, text_pair, **options)

    def batch_encode_plus(self, batch_text_or_text_pairs: Sequence[Any], **options: Any) -> BatchEncoding:
        """`__call__` for a list of texts or of (text, text) pairs."""
        return self(list(batch_text_or_text_pairs), **options)

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, **options: Any
    ) -> list[str]:
        """The tokens of a text as strings."""
        options = {"verbose": False, **options, "return_offsets_mapping": True}
        return self(text, pair, add_special_tokens=add_special_tokens, **options).tokens()

    def literal(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of texts as text only: none around them, and "[MASK]" in a text is six letters, not a special token.

        The shortest way from many texts to ids: those of all texts one behind another (T,) int32, and how many each has
        (S,) int64. Tokens that were added and are not special are found as always.
        """
        added = self.added_tokens_decoder.values()
        special = [token.content for token in added if token.special]
        if len(special) == len(added):
            return self._segmenter.flat(texts)
        spelt = [any(content in text for content in special) for text in texts]
        rows = {
            split: iter(
                self._segmenter.encode([t for t, s in zip(texts, spelt, strict=True) if s is split], False, split)
            )
            for split in (True, False)
        }
        return flattened([next(rows[split]).ids for split in spelt])

    def use_one_thread(self) -> None:
        """Encode in the calling thread alone, as one of many processes should.

        The tokenizers library goes by the environment's TOKENIZERS_PARALLELISM instead.
        """
        self._segmenter.threads = 1

    def _encode(self, text: Any, text_pair: Any, options: Options) -> BatchEncoding:
        firsts, seconds, batched = _arranged(text, text_pair, options.is_split_into_words)
        truncation, padding = lengths(options, self)
        align = options.return_offsets_mapping or self._segmenter.random
        tokens = self._tokens([*firsts, *(text for text in seconds if text is not None)], align, options)
        others = iter(tokens[len(firsts) :])
        pairs = [(a, None if b is None else next(others)) for a, b in zip(tokens[: len(firsts)], seconds, strict=True)]
        groups = self._windows(pairs, truncation, options)
        bare = [encoding for group in groups for encoding in group]
        aligned = dataclasses.replace(options, return_offsets_mapping=True, return_tensors=None, verbose=False)

        def work_out() -> Sequence[Encoding]:
            encodings = self._encode(text, text_pair, aligned).encodings
            if [encoding.ids for encoding in encodings] != [encoding.ids for encoding in bare]:
                raise InputError(
                    "Alignments are worked out when first asked for, by the same tokenizer from the same texts. "
                    "Received: a batch whose tokenizer or list of texts was changed since. Pass "
                    "return_offsets_mapping=True to have them at once."
                )
            return encodings

        batched = batched or options.return_overflowing_tokens
        return self._answer(pairs, groups, padding, options, batched, bare if align else work_out)

    def _tokens(self, texts: list[Any], align: bool, options: Options) -> list[Tokens]:
        """Tokens of texts, or of lists of words, whose tokens then carry the number of their word."""
        split = self.split_special_tokens if options.split_special_tokens is None else options.split_special_tokens
        if not options.is_split_into_words:
            return self._segmenter.encode(texts, align, split)
        words = iter(self._segmenter.encode([word for text in texts for word in text], align, split))
        return [_joined(list(itertools.islice(words, len(text))), align) for text in texts]

    def _windows(
        self, pairs: Sequence[tuple[Tokens, Tokens | None]], truncation: Truncation | None, options: Options
    ) -> list[list[Encoding]]:
        """The windows of every text or pair; only the first where no overflow is asked for."""
        special = None
        if options.add_special_tokens:
            if self.cls_token_id is None or self.sep_token_id is None:
                raise InputError("Special tokens need a cls_token and a sep_token. Pass add_special_tokens=False.")
            special = (self.cls_token_id, self.cls_token), (self.sep_token_id, self.sep_token)
        every = None if options.return_overflowing_tokens else 1
        groups = [list(itertools.islice(assemble(*pair, special, truncation), every)) for pair in pairs]
        longest = max((len(group[0]) for group in groups), default=0)
        if longest > self.model_max_length and options.verbose and not self._told_too_long:
            self._told_too_long = True
            logger.warning(
                "Token indices sequence length is longer than the specified maximum sequence length for this model "
                f"({longest} > {self.model_max_length}). Running this sequence through the model will result in "
                "indexing errors. Pass truncation=True to cut it."
            )
        return groups

    def _answer(
        self,
        pairs: Sequence[tuple[Tokens, Tokens | None]],
        groups: Sequence[Sequence[Encoding]],
        padding: Any,
        options: Options,
        batched: bool,
        alignments: Sequence[Encoding] | Callable[[], Sequence[Encoding]] | None,
    ) -> BatchEncoding:
        encodings = [encoding for group in groups for encoding in group]
        columns: dict[str, list] = {"input_ids": [encoding.ids for encoding in encodings]}
        if options.return_token_type_ids is not False:
            columns["token_type_ids"] = [encoding.type_ids for encoding in encodings]
        columns["attention_mask"] = [[1] * len(ids) for ids in columns["input_ids"]]
        if options.return_special_tokens_mask:
            columns["special_tokens_mask"] = [encoding.special_tokens_mask for encoding in encodings]
        if options.return_offsets_mapping:
            columns["offset_mapping"] = [encoding.offsets for encoding in encodings]
        if padding:
            before = [len(encoding) for encoding in encodings]
            columns = batch.pad(columns, self.pad_token_id, padding)
            for encoding, length, ids in zip(encodings, before, columns["input_ids"], strict=True):
                encoding.pad(len(ids) - length, padding.side, self.pad_token_id, self.pad_token)
        if options.return_attention_mask is False:
            del columns["attention_mask"]
        if options.return_length:
            columns["length"] = [len(ids) for ids in columns["input_ids"]]
        if options.return_overflowing_tokens:
            columns["overflow_to_sample_mapping"] = [index for index, group in enumerate(groups) for _ in group]
        truncated = [
            _lost(first, [window.first for window in group]) + _lost(second, [window.second for window in group])
            for (first, second), group in zip(pairs, groups, strict=True)
        ]
        if not batched:
            columns = {name: column[0] for name, column in columns.items()}
        answer = BatchEncoding(columns, alignments, truncated)
        return answer.convert_to_tensors(options.return_tensors, prepend_batch_axis=not batched)

    # ------------------------------------------------------------------------------------------------------ ids -> ids

    def build_inputs_with_special_tokens(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """[CLS] A [SEP], or [CLS] A [SEP] B [SEP]."""
        second = [] if token_ids_1 is None else [*token_ids_1, self.sep_token_id]
        return [self.cls_token_id, *token_ids_0, self.sep_token_id, *second]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """0 for [CLS] A [SEP], 1 for B [SEP]."""
        return [0] * (len(token_ids_0) + 2) + ([] if token_ids_1 is None else [1] * (len(token_ids_1) + 1))

    def get_special_tokens_mask(
        self,
        token_ids_0: Sequence[int],
        token_ids_1: Sequence[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """1 for special tokens, 0 for others, in [CLS] A [SEP] (B [SEP]), or in A itself where it already has them."""
        if already_has_special_tokens:
            if token_ids_1 is not None:
                raise InputError("Ids that already have their special tokens are one sequence. Received: two.")
            found = set(self.all_special_ids)
            return [int(index in found) for index in token_ids_0]
        return [1, *[0] * len(token_ids_0), 1] + ([] if token_ids_1 is None else [*[0] * len(token_ids_1), 1])

    def prepare_for_model(
        self,
        ids: Sequence[int],
        pair_ids: Sequence[int] | None = None,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        **options: Any,
    ) -> BatchEncoding:
        """Make a model input of ids that no special tokens stand around yet; options as in `__call__`."""
        chosen = Options(add_special_tokens=add_special_tokens, padding=padding, truncation=truncation, **options)
        cut, fill = lengths(chosen, self)
        pair = Tokens(list(ids)), None if pair_ids is None else Tokens(list(pair_ids))
        if chosen.return_offsets_mapping:
            raise InputError("Only what is made from text has offsets. Received: ids, and return_offsets_mapping=True.")
        groups = self._windows([pair], cut, chosen)
        return self._answer([pair], groups, fill, chosen, chosen.return_overflowing_tokens, alignments=None)

    def pad(
        self,
        encoded_inputs: Any,
        padding: bool | str = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Fill the rows of encoded inputs to one length: of a list of encodings, or of a mapping to lists or arrays.

        Serves as the collate function of a data loader. Labels and other columns that it does not know are left alone.
        """
        if isinstance(encoded_inputs, (list, tuple)):
            encoded_inputs = {name: [row[name] for row in encoded_inputs] for name in (encoded_inputs or [{}])[0]}
        if "input_ids" not in encoded_inputs:
            raise InputError(
                "You should supply an encoding or a list of encodings to this method that includes input_ids, but you "
                f"provided {list(encoded_inputs)}"
            )
        columns = {name: _as_lists(column) for name, column in encoded_inputs.items()}
        single = bool(columns["input_ids"]) and isinstance(columns["input_ids"][0], int)
        if single:
            columns = {name: [column] for name, column in columns.items()}
        options = Options(
            padding=padding,
            truncation=False,
            max_length=max_length,
            pad_to_multiple_of=pad_to_multiple_of,
            padding_side=padding_side,
            verbose=verbose,
        )
        _, fill = lengths(options, self)
        if fill:
            columns = batch.pad(columns, self.pad_token_id, fill)
        if return_attention_mask is False:
            columns.pop("attention_mask", None)
        if single:
            columns = {name: column[0] for name, column in columns.items()}
        return BatchEncoding(columns).convert_to_tensors(return_tensors, prepend_batch_axis=single)

    # ------------------------------------------------------------------------------------------------------ ids -> text

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        spaces_between_special_tokens: bool = True,
    ) -> str:
        """The text that ids stand for. Added tokens without a special role are set off by spaces."""
        ids = _as_lists(token_ids)
        tokens = self.convert_ids_to_tokens([ids] if isinstance(ids, int) else ids, skip_special_tokens)
        apart = set(self.added_tokens_encoder) - {token.content for token in self._special.values() if token}
        runs: list[str] = []
        for is_apart, group in itertools.groupby(tokens, key=apart.__contains__):
            run = list(group)
            runs += run if is_apart else [self.convert_tokens_to_string(run)]
        text = (" " if spaces_between_special_tokens else "").join(run for run in runs if run)
        clean = (
            self.clean_up_tokenization_spaces if clean_up_tokenization_spaces is None else clean_up_tokenization_spaces
        )
        return _tidy(text) if clean else text

    def batch_decode(self, sequences: Iterable[Any], skip_special_tokens: bool = False, **options: Any) -> list[str]:
        """`decode` of each row."""
        return [self.decode(row, skip_special_tokens, **options) for row in sequences]

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text that tokens stand for: "[CLS] hello world[SEP]".

        Special tokens are written as they are, text before one of them with a space in front, and text behind
        the last without.
        """
        found = set(self.all_special_tokens)
        text, run = "", []
        for token in tokens:
            if token not in found:
                run.append(token)
                continue
            text += f" {self._segmenter.join(run)}{token}" if run else token
            run = []
        return (text + self._segmenter.join(run)).strip()

    # ------------------------------------------------------------------------------------------------- loading, saving

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], *inputs: Any, **keywords: Any
    ) -> Any:
        """Read a tokenizer from a folder or from the hub. `keywords` override what its tokenizer_config.json says.

        A folder with a `vocab.txt` in place of a SentencePiece model, as the Chinese ALBERTs have, gives an
        AlbertWordPieceTokenizer whichever class is asked.
        """
        fetching = hub.options(keywords)
        folder = files.fetch(pretrained_model_name_or_path, **fetching)
        with storage.reading(folder) as held:
            return cls._read(held, *inputs, **{"name_or_path": str(pretrained_model_name_or_path), **keywords})

    @classmethod
    def _read(cls, folder: storage.Folder, *inputs: Any, **keywords: Any) -> Any:
        stated = files.read(folder)
        chosen = cls._class_for(folder)
        saved = stated.pop("tokenizer_class", None) or chosen.saved_class
        if saved.removesuffix("Fast") not in (chosen.saved_class, cls.__name__, "PreTrainedTokenizer"):
            logger.warning(
                "The tokenizer class you load from this checkpoint is not the same type as the class this function is "
                "called from. It may result in unexpected tokenization. \nThe tokenizer class you load from this "
                f"checkpoint is '{saved}'. \nThe class this function is called from is '{cls.__name__}'."
            )
        vocabulary = chosen._vocabulary_in(folder, stated)
        return chosen(*inputs, **{**vocabulary, **stated, **keywords})

    @classmethod
    def _class_for(cls, folder: storage.Folder) -> "type[AlbertTokenizerBase]":
        """The class that a folder's files call for."""
        return cls

    @classmethod
    def _vocabulary_in(cls, folder: storage.Folder, stated: dict[str, Any]) -> dict[str, Any]:
        """The constructor's keywords that name vocabulary files of a folder."""
        raise NotImplementedError

    def save_vocabulary(
        self, save_directory: str | os.PathLike[str], filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write the vocabulary file, and say where."""
        raise NotImplementedError

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write all files of the tokenizer as one step, and say where. Transformers reads them."""
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        stale = [prefix + name for name in files.PATTERNS]
        with storage.replacing(save_directory, head=prefix + files.CONFIG, stale=stale) as staging:
            names = self.write(staging, filename_prefix)
        return tuple(str(Path(save_directory) / name) for name in names)

    def write(self, folder: Path, filename_prefix: str | None = None) -> list[str]:
        """Write the files of `save_pretrained` plainly, for a caller that gathers more files in the same step."""
        settings = {
            "model_max_length": self.model_max_length,
            "padding_side": self.padding_side,
            "truncation_side": self.truncation_side,
            "clean_up_tokenization_spaces": self.clean_up_tokenization_spaces,
            "tokenizer_class": self.saved_class,
            "added_tokens_decoder": {str(i): files.fields(token) for i, token in self.added_tokens_decoder.items()},
        }
        if self.split_special_tokens:
            settings["split_special_tokens"] = True
        own = {key: value for key, value in self.init_kwargs.items() if key not in (*ROLES, *self.vocab_files_names)}
        roles: dict[str, Any] = {role: files.fields(token) for role, token in self._special.items() if token}
        for fields in roles.values():
            del fields["special"]
        if self._additional:
            roles["additional_special_tokens"] = self.additional_special_tokens
        beyond = {token: index for token, index in self.added_tokens_encoder.items() if index >= self.vocab_size}
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        files.write(folder, prefix, own | self.special_tokens_map | settings, roles, beyond)
        self.save_vocabulary(folder, filename_prefix)
        return sorted(path.name for path in folder.iterdir())


def _arranged(text: Any, text_pair: Any, words: bool) -> tuple[list[Any], list[Any], bool]:
    """First texts, second texts (None where there is none), and whether a batch was given."""
    batched = _is_list(text) and (not words or (bool(text) and _is_list(text[0])))
    if not batched:
        firsts, seconds = [text], [text_pair]
    elif text_pair is not None:
        firsts, seconds = list(text), [text_pair] if isinstance(text_pair, str) else list(text_pair)
    elif text and not words and all(_is_list(row) and len(row) == 2 for row in text):
        firsts, seconds = [row[0] for row in text], [row[1] for row in text]
    else:
        firsts, seconds = list(text), [None] * len(text)
    if len(firsts) != len(seconds):
        raise InputError(
            f"batch length of `text`: {len(firsts)} does not match batch length of `text_pair`: {len(seconds)}."
        )
    for row in (*firsts, *(second for second in seconds if second is not None)):
        fits = _is_list(row) and all(isinstance(word, str) for word in row) if words else isinstance(row, str)
        if not fits:
            raise InputError(
                "text input must be of type `str` (single example), `list[str]` (batch or single pretokenized example) "
                "or `list[list[str]]` (batch of pretokenized examples); lists of words need is_split_into_words=True. "
                f"Received: {row!r:.80}."
            )
    return firsts, seconds, batched


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _joined(words: list[Tokens], align: bool) -> Tokens:
    """The tokens of a list of words as one text, numbered by word. Offsets stay within each word."""
    ids = [index for word in words for index in word.ids]
    if not align:
        return Tokens(ids)
    pieces = [piece for word in words for piece in word.pieces or ()]
    offsets = [offset for word in words for offset in word.offsets or ()]
    return Tokens(ids, pieces, offsets, [number for number, word in enumerate(words) for _ in word.ids])


def _lost(tokens: Tokens | None, windows: Sequence[Tokens | None]) -> int:
    """How many tokens of a text stand in none of its windows, which together hold all of it or only its beginning."""
    if tokens is None or (len(windows) > 1 and any(window and window.ids for window in windows)):
        return 0
    return len(tokens.ids) - max(len(window.ids) for window in windows if window is not None)


def _as_lists(column: Any) -> Any:
    """Arrays of any framework, and lists of them, as plain lists."""
    if hasattr(column, "tolist"):
        return column.tolist()
    if hasattr(column, "numpy"):
        return column.numpy().tolist()
    return [_as_lists(row) for row in column] if isinstance(column, (list, tuple)) else column


def _tidy(text: str) -> str:
    """Without the spaces before punctuation and English contractions."""
    for mark in (".", "?", "!", ","):
        text = text.replace(f" {mark}", mark)
    text = text.replace(" ' ", "'")
    for ending in ("n't", "'m", "'s", "'ve", "'re"):
        text = text.replace(f" {ending}", ending)
    return text
