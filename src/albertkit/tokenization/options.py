"""The keyword arguments of a tokenizer's call, and what those about length mean together."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import TypedDict

from albertkit.errors import InputError, WrongType, did_you_mean
from albertkit.tokenization.truncation import STRATEGIES, Truncation

logger = logging.getLogger(__name__)

UNLIMITED = int(1e30)
"""`model_max_length`, in tokens, of a tokenizer that sets no limit; Transformers writes the same number."""
NO_LIMIT = 10**9
"""Lengths in tokens from here on are no limit: no text is so long, and no memory holds a row of so much padding."""

_INSTEAD = {
    "pad_to_max_length": "Pass padding='max_length'.",
    "truncation_strategy": "Pass truncation='longest_first', or the name of another strategy.",
    "is_pretokenized": "Pass is_split_into_words=True.",
    "max_len": "Pass max_length.",
}
"""Options of old releases of Transformers, and what has taken their place."""

Strategy = bool | str | Enum | None
"""How to pad or truncate: a flag, the name of a strategy, or a member of Transformers' enumerations of these names."""


class EncodingKeywords(TypedDict, total=False):
    """The fields of EncodingOptions, as the keyword arguments of a method that passes them on."""

    add_special_tokens: bool
    padding: Strategy
    truncation: Strategy
    max_length: int | None
    stride: int
    is_split_into_words: bool
    pad_to_multiple_of: int | None
    padding_side: str | None
    return_tensors: str | None
    return_token_type_ids: bool | None
    return_attention_mask: bool | None
    return_overflowing_tokens: bool
    return_special_tokens_mask: bool
    return_offsets_mapping: bool
    return_length: bool
    verbose: bool
    split_special_tokens: bool | None


@dataclass(frozen=True)
class EncodingOptions:
    """The keyword arguments of a call with their defaults; AlbertTokenizerBase.__call__ says what they mean."""

    add_special_tokens: bool = True
    padding: Strategy = False
    truncation: Strategy = None
    max_length: int | None = None
    stride: int = 0
    is_split_into_words: bool = False
    pad_to_multiple_of: int | None = None
    padding_side: str | None = None
    return_tensors: str | None = None
    return_token_type_ids: bool | None = None
    return_attention_mask: bool | None = None
    return_overflowing_tokens: bool = False
    return_special_tokens_mask: bool = False
    return_offsets_mapping: bool = False
    return_length: bool = False
    verbose: bool = True
    split_special_tokens: bool | None = None


@dataclass(frozen=True)
class Padding:
    """How the rows of a batch are made equally long.

    All get `length` tokens, or as many as the longest has where that is None, rounded up to a multiple of
    `multiple_of`; pad tokens go to the `side` "left" or "right".
    """

    length: int | None
    multiple_of: int | None
    side: str


@dataclass(frozen=True)
class LengthSettings:
    """What a tokenizer itself says of lengths; `shares_fairly` is `fair` of Truncation."""

    model_max_length: int
    padding_side: str
    truncation_side: str
    pad_token_id: int | None
    shares_fairly: bool


def require_known(unknown: Collection[str]) -> None:
    """WrongType where there are options that a call does not have."""
    for name in unknown:
        known = [*EncodingOptions.__dataclass_fields__, "text", "text_pair", "text_target", "text_pair_target"]
        instead = _INSTEAD.get(name) or f"Leave it out.{did_you_mean(name, known)}"
        raise WrongType(f"A tokenizer's call has no option `{name}`. {instead}")


def require_side(side: str) -> str:
    """The side itself, "left" or "right". InputError for anything else."""
    if side not in ("left", "right"):
        raise InputError(f"A side to pad or truncate is 'left' or 'right'. Received: {side!r}.")
    return side


def truncation_and_padding(
    options: EncodingOptions, settings: LengthSettings
) -> tuple[Truncation | None, Padding | None]:
    """How to truncate and how to pad, each None where it is not done, by the options and the tokenizer's settings.

    As in Transformers, `max_length` alone truncates unless padding is asked for, and a tokenizer without a limit of its
    own neither truncates nor pads to it, which is warned of. InputError for unknown strategies, for a length that no
    multiple of `pad_to_multiple_of` reaches, and for padding without a pad token.
    """
    strategy, mode = _truncation_strategy(options), _padding_mode(options)
    truncates, pads = strategy != "do_not_truncate", mode != "do_not_pad"
    max_length = settings.model_max_length if options.max_length is None else options.max_length
    if max_length >= NO_LIMIT and (truncates or mode == "max_length"):
        if options.verbose:
            logger.warning(
                "Asked to truncate or pad to the model's longest input, but the tokenizer has no `model_max_length`: "
                "doing neither. Pass max_length, or set tokenizer.model_max_length."
            )
        truncates, pads = False, mode == "longest"
    multiple_of = options.pad_to_multiple_of
    if truncates and pads and multiple_of and max_length % multiple_of:
        raise InputError(
            "Texts that are cut and padded get one length, which `pad_to_multiple_of` must divide. Received: "
            f"max_length {max_length} and pad_to_multiple_of {multiple_of}. Change one of them."
        )
    if pads and settings.pad_token_id is None:
        raise InputError("Padding needs a pad token. Give one: tokenizer.add_special_tokens({'pad_token': '<pad>'}).")
    side = require_side(settings.padding_side if options.padding_side is None else options.padding_side)
    cut_side = require_side(settings.truncation_side)
    truncation = Truncation(strategy, max_length, options.stride, cut_side, settings.shares_fairly)
    padding = Padding(max_length if mode == "max_length" else None, multiple_of, side)
    return truncation if truncates else None, padding if pads else None


def _truncation_strategy(options: EncodingOptions) -> str:
    names: dict[Strategy, Strategy] = {True: "longest_first", False: "do_not_truncate"}
    strategy = names.get(options.truncation, options.truncation)
    strategy = getattr(strategy, "value", strategy)
    if strategy is None:
        return "do_not_truncate" if options.max_length is None or options.padding else "longest_first"
    if strategy not in STRATEGIES:
        raise InputError(f"`truncation` must be a bool or one of {', '.join(STRATEGIES)}. Received: {strategy!r}.")
    return strategy


def _padding_mode(options: EncodingOptions) -> str:
    names: dict[Strategy, Strategy] = {True: "longest", False: "do_not_pad", None: "do_not_pad"}
    mode = names.get(options.padding, options.padding)
    mode = getattr(mode, "value", mode)
    if mode not in ("longest", "max_length", "do_not_pad"):
        raise InputError(f"`padding` must be a bool, 'longest', 'max_length' or 'do_not_pad'. Received: {mode!r}.")
    return mode
