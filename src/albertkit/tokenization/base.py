"""AlbertTokenizerBase: text -> model inputs. The way back is in `vocabulary`, loading and saving in `pretrained`.

A class chooses a segmenter (text <-> tokens) and its vocabulary file; the steps of a call are written here once: texts,
their tokens, truncation with its windows, padding. Arguments and results are those of Transformers' tokenizers.
"""

import dataclasses
import itertools
import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from albertkit.errors import InputError, WrongType, abbreviate
from albertkit.tokenization import collating, text_inputs
from albertkit.tokenization.batch_encoding import BatchEncoding, build_batch_encoding
from albertkit.tokenization.columns import Column
from albertkit.tokenization.encoding import Encoding, SpecialToken, TokenizedPair, TokenizedText
from albertkit.tokenization.options import (
    EncodingKeywords,
    EncodingOptions,
    LengthSettings,
    Strategy,
    require_known,
    truncation_and_padding,
)
from albertkit.tokenization.pretrained import PretrainedTokenizer
from albertkit.tokenization.segmenter import concatenate
from albertkit.tokenization.text_inputs import PreTokenizedInput, TextInput, TextInputPair, TextInputs
from albertkit.tokenization.truncation import Truncation, build_encodings

logger = logging.getLogger(__name__)


class AlbertTokenizerBase(PretrainedTokenizer):
    """What the tokenizers share. Not made directly: see its three classes, of which AlbertTokenizerFast serves most."""

    is_fast = False
    keeping_accents: ClassVar[str] = (
        "Load the tokenizer with keep_accents=True, or set `keep_accents` to true in its tokenizer_config.json."
    )
    """How a person has accents kept: a sentence for a message."""
    _warned_of_length = False

    @property
    def shares_fairly(self) -> bool:
        """How an odd place is shared between two texts under "longest_first"; see truncation.Truncation."""
        return self._segmenter.fair

    @property
    def pad_token_type_id(self) -> int:
        """The token type of padding."""
        return 0

    @property
    def max_len_single_sentence(self) -> int:
        """Tokens of one text that fit into the longest input."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=False)

    @property
    def max_len_sentences_pair(self) -> int:
        """Tokens of two texts that fit into the longest input."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=True)

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens stand around a text, 2, or a pair, 3."""
        return 3 if pair else 2

    def __call__(
        self,
        text: TextInputs | None = None,
        text_pair: TextInputs | None = None,
        text_target: TextInputs | None = None,
        text_pair_target: TextInputs | None = None,
        add_special_tokens: bool = True,
        padding: Strategy = False,
        truncation: Strategy = None,
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
        **unknown: object,
    ) -> BatchEncoding:
        """Make model inputs of a text, of a pair, or of a list of either.

        `text` and `text_pair` are strings or lists of strings; with `is_split_into_words` lists of words or lists of
        those. `text_target` becomes the column `labels`.

        `padding` True or "longest" fills up to the longest row, "max_length" to `max_length`. `truncation` True or
        "longest_first", "only_first" or "only_second" cuts to `max_length`, by default `model_max_length`. What is cut
        off is counted in `.truncated`; with `return_overflowing_tokens` it comes in windows that overlap by `stride`
        tokens, and `overflow_to_sample_mapping` says which text a window belongs to.

        Columns: input_ids, and those of `model_input_names`; special_tokens_mask, offset_mapping (half-open spans of
        characters, in which a token's leading space is its own) and length where asked for. `return_tensors` "np",
        "pt", "tf" or "jax" makes int64 arrays (B, L). InputError for what is no text, WrongType for an unknown option.
        """
        require_known(unknown)
        given = locals()  # the options stand by name in the signature above and in EncodingOptions: not a third time
        options = EncodingOptions(**{name: given[name] for name in EncodingOptions.__dataclass_fields__})
        if text is None and text_target is None:
            raise InputError("A call needs texts: as `text`, or as `text_target`. Received: neither.")
        if text is None:
            return self._encode(text_target, text_pair_target, options)
        encoded = self._encode(text, text_pair, options)
        if text_target is not None:
            encoded["labels"] = self._encode(text_target, text_pair_target, options)["input_ids"]
        return encoded

    def encode(
        self, text: TextInputs, text_pair: TextInputs | None = None, **options: Unpack[EncodingKeywords]
    ) -> Column:
        """The ids of one text or pair, a list of L; see `__call__` for the options."""
        return self(text, text_pair, **options)["input_ids"]

    def encode_plus(
        self, text: TextInputs, text_pair: TextInputs | None = None, **options: Unpack[EncodingKeywords]
    ) -> BatchEncoding:
        """`__call__` for one text or pair."""
        return self(text, text_pair, **options)

    def batch_encode_plus(
        self,
        batch_text_or_text_pairs: Sequence[TextInput | PreTokenizedInput | TextInputPair],
        **options: Unpack[EncodingKeywords],
    ) -> BatchEncoding:
        """`__call__` for a list of texts or of (text, text) pairs. WrongType for anything else than a list."""
        if not isinstance(batch_text_or_text_pairs, (list, tuple)):
            raise WrongType(
                "A batch is a list of texts or of pairs of texts. Received: "
                f"{abbreviate(batch_text_or_text_pairs, 80)}. Put a single text into a list."
            )
        return self(list(batch_text_or_text_pairs), **options)

    def tokenize(
        self,
        text: TextInputs,
        pair: TextInputs | None = None,
        add_special_tokens: bool = False,
        **options: Any,
    ) -> list[str]:
        """The tokens of a text or pair as strings; see `__call__` for the options. InputError for several texts."""
        if isinstance(text, (list, tuple)) and not options.get("is_split_into_words"):
            raise InputError(
                "`tokenize` takes one text, or its words with is_split_into_words=True. Received: a list of "
                f"{len(text)}. For many texts call the tokenizer, and `tokens(row)` of its answer."
            )
        options = {"verbose": False, **options, "return_offsets_mapping": True}
        return self(text, pair, add_special_tokens=add_special_tokens, **options).tokens()

    def raw(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of texts as text only: none around them, and "[MASK]" in a text is six letters, not a special token.

        The shortest way from many texts to ids: those of all texts one behind another (T,) int32, and how many each has
        (S,) int64. Tokens that were added and are not special are found as always.
        """
        added = self.added_tokens_decoder.values()
        special = [token.content for token in added if token.special]
        if len(special) == len(added):
            return self._segmenter.encode_flat(texts)
        # Only texts with a special token need `split`, under which SentencePiece takes every added token for text.
        holds_special = [any(content in text for content in special) for text in texts]
        rows = {
            split: iter(
                self._segmenter.encode(
                    [text for text, holds in zip(texts, holds_special, strict=True) if holds is split], False, split
                )
            )
            for split in (True, False)
        }
        return concatenate([next(rows[split]).ids for split in holds_special])

    def use_one_thread(self) -> None:
        """Encode in the calling thread alone, as one of many processes should.

        The tokenizers library goes by the environment's TOKENIZERS_PARALLELISM instead.
        """
        self._segmenter.threads = 1

    def _encode(self, text: TextInputs | None, text_pair: TextInputs | None, options: EncodingOptions) -> BatchEncoding:
        options = self._named(options)
        texts = text_inputs.arrange(text, text_pair, options.is_split_into_words)
        truncation, padding = truncation_and_padding(options, self._length_settings)
        align = options.return_offsets_mapping or self._segmenter.random
        split = self.split_special_tokens if options.split_special_tokens is None else options.split_special_tokens
        pairs = text_inputs.tokenize(self._segmenter, texts, align, split)
        windows = self._windows(pairs, truncation, options)
        encodings = [encoding for group in windows for encoding in group]

        def align_later() -> Sequence[Encoding]:
            with_offsets = dataclasses.replace(options, return_offsets_mapping=True, return_tensors=None, verbose=False)
            aligned = self._encode(text, text_pair, with_offsets).encodings
            if [encoding.ids for encoding in aligned] != [encoding.ids for encoding in encodings]:
                raise InputError(
                    "Alignments are worked out when first asked for, by the same tokenizer from the same texts. "
                    "Received: a batch whose tokenizer or list of texts was changed since. Pass "
                    "return_offsets_mapping=True to have them at once."
                )
            return aligned

        is_batch = texts.is_batch or options.return_overflowing_tokens
        alignments = encodings if align else align_later
        return build_batch_encoding(pairs, windows, options, padding, self._pad, is_batch, alignments)

    @property
    def _length_settings(self) -> LengthSettings:
        sides = self.padding_side, self.truncation_side
        return LengthSettings(self.model_max_length, *sides, self.pad_token_id, self.shares_fairly)

    def _named(self, options: EncodingOptions) -> EncodingOptions:
        """The options with the columns that `model_input_names` asks for where they leave that open."""
        types, mask = (
            name in self.model_input_names if chosen is None else chosen
            for name, chosen in (
                ("token_type_ids", options.return_token_type_ids),
                ("attention_mask", options.return_attention_mask),
            )
        )
        return dataclasses.replace(options, return_token_type_ids=types, return_attention_mask=mask)

    @property
    def _pad(self) -> SpecialToken:
        return self.pad_token_id, self.pad_token

    def _windows(
        self, pairs: Sequence[TokenizedPair], truncation: Truncation | None, options: EncodingOptions
    ) -> list[list[Encoding]]:
        """The windows of every text or pair; only the first where no overflow is asked for."""
        special_tokens = None
        if options.add_special_tokens:
            if self.cls_token_id is None or self.sep_token_id is None:
                raise InputError("Special tokens need a cls_token and a sep_token. Pass add_special_tokens=False.")
            special_tokens = (self.cls_token_id, self.cls_token), (self.sep_token_id, self.sep_token)
        count = None if options.return_overflowing_tokens else 1
        windows = [list(itertools.islice(build_encodings(*pair, special_tokens, truncation), count)) for pair in pairs]
        longest = max((len(group[0]) for group in windows), default=0)
        is_asked_for = truncation is not None  # a length that was named, such as a longer one of a model in training
        if longest > self.model_max_length and not is_asked_for and options.verbose and not self._warned_of_length:
            self._warned_of_length = True
            logger.warning(
                f"A text of {longest} tokens is longer than `model_max_length`, {self.model_max_length}, and the model "
                "will refuse it. Pass truncation=True to cut it."
            )
        return windows

    def build_inputs_with_special_tokens(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """The ids of [CLS] A [SEP], or of [CLS] A [SEP] B [SEP]."""
        second = [] if token_ids_1 is None else [*token_ids_1, self.sep_token_id]
        return [self.cls_token_id, *token_ids_0, self.sep_token_id, *second]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """The token types of [CLS] A [SEP] (B [SEP]): 0 up to the first [SEP], 1 behind it."""
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
            special = set(self.all_special_ids)
            return [int(index in special) for index in token_ids_0]
        return [1, *[0] * len(token_ids_0), 1] + ([] if token_ids_1 is None else [*[0] * len(token_ids_1), 1])

    def prepare_for_model(
        self,
        ids: Sequence[int],
        pair_ids: Sequence[int] | None = None,
        add_special_tokens: bool = True,
        padding: Strategy = False,
        truncation: Strategy = None,
        *,
        prepend_batch_axis: bool = False,
        **options: Any,
    ) -> BatchEncoding:
        """Make a model input of ids that no special tokens stand around yet; options as in `__call__`.

        Arrays are (L,), with `prepend_batch_axis` (1, L). InputError for `return_offsets_mapping`, which
        only text has.
        """
        require_known(options.keys() - EncodingOptions.__dataclass_fields__.keys())
        tensors = options.pop("return_tensors", None)
        chosen = self._named(EncodingOptions(add_special_tokens, padding, truncation, **options))
        truncated, padded = truncation_and_padding(chosen, self._length_settings)
        pair = TokenizedText(list(ids)), None if pair_ids is None else TokenizedText(list(pair_ids))
        if chosen.return_offsets_mapping:
            raise InputError("Only what is made from text has offsets. Received: ids, and return_offsets_mapping=True.")
        windows = self._windows([pair], truncated, chosen)
        is_batch = chosen.return_overflowing_tokens
        made = build_batch_encoding([pair], windows, chosen, padded, self._pad, is_batch, alignments=None)
        return made.convert_to_tensors(tensors, prepend_batch_axis and not is_batch)

    def pad(
        self,
        encoded_inputs: Mapping[str, Column] | Sequence[Mapping[str, Column]],
        padding: Strategy = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Pad the rows of encoded inputs to one length: of a list of encodings, or of a mapping to lists or arrays.

        Serves as the collate function of a data loader. Arrays come back as arrays of their framework unless
        `return_tensors` names another. An attention mask is added unless `return_attention_mask` is False. Labels and
        other columns that it does not know are left alone. InputError where there are no ids, which stand in the column
        named first in `model_input_names`, and where the inputs do not all have the same columns.
        """
        options = EncodingOptions(
            padding=padding,
            truncation=False,
            max_length=max_length,
            pad_to_multiple_of=pad_to_multiple_of,
            padding_side=padding_side,
            return_attention_mask=return_attention_mask,
            return_tensors=return_tensors,
            verbose=verbose,
        )
        fill = truncation_and_padding(options, self._length_settings)[1]
        return collating.pad(encoded_inputs, self._named(options), fill, self.pad_token_id, self.model_input_names[0])
