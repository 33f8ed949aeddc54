"""The keyword arguments of a tokenizer's call, and what those about length mean together."""

import logging
from dataclasses import dataclass
from typing import Any

from albertkit.errors import InputError
from albertkit.tokenization.encoding import STRATEGIES, Truncation

logger = logging.getLogger(__name__)

UNLIMITED = int(1e30)
"""`model_max_length` of a tokenizer that sets no limit."""


@dataclass(frozen=True)
class Options:
    """The keyword arguments of a call; see AlbertTokenizerBase.__call__."""

    add_special_tokens: bool = True
    padding: Any = False
    truncation: Any = None
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
    """To which length rows are filled: the longest row's, or `length` where it is set, rounded up to `multiple`."""

    length: int | None
    multiple: int | None
    side: str


def side(value: str) -> str:
    """The side itself, "left" or "right". InputError for anything else."""
    if value not in ("left", "right"):
        raise InputError(f"A side to pad or truncate is 'left' or 'right'. Received: {value!r}.")
    return value


def lengths(options: Options, tokenizer: Any) -> tuple[Truncation | None, Padding | None]:
    """How to cut and how to fill, by the options and the tokenizer's own settings."""
    strategy = {True: "longest_first", False: "do_not_truncate"}.get(options.truncation, options.truncation)
    strategy = getattr(strategy, "value", strategy)
    if strategy is None:
        strategy = "do_not_truncate" if options.max_length is None or options.padding else "longest_first"
    mode = {True: "longest", False: "do_not_pad", None: "do_not_pad"}.get(options.padding, options.padding)
    mode = getattr(mode, "value", mode)
    if strategy not in STRATEGIES:
        raise InputError(f"`truncation` must be a bool or one of {', '.join(STRATEGIES)}. Received: {strategy!r}.")
    if mode not in ("longest", "max_length", "do_not_pad"):
        raise InputError(f"`padding` must be a bool, 'longest', 'max_length' or 'do_not_pad'. Received: {mode!r}.")
    cuts, fills = strategy != "do_not_truncate", mode != "do_not_pad"
    limit = tokenizer.model_max_length if options.max_length is None else options.max_length
    if limit >= UNLIMITED and (cuts or mode == "max_length"):
        if options.verbose:
            logger.warning(
                "Asked to truncate or pad to the model's longest input, but the tokenizer has no `model_max_length`: "
                "doing neither. Pass max_length, or set tokenizer.model_max_length."
            )
        cuts, fills = False, mode == "longest"
    multiple = options.pad_to_multiple_of
    if cuts and fills and multiple and limit % multiple:
        raise InputError(
            f"Truncation and padding are both activated but truncation length ({limit}) is not a multiple of "
            f"pad_to_multiple_of ({multiple})."
        )
    if fills and tokenizer.pad_token_id is None:
        raise InputError("Padding needs a pad token. Give one: tokenizer.add_special_tokens({'pad_token': '<pad>'}).")
    where = tokenizer.padding_side if options.padding_side is None else side(options.padding_side)
    return (
        Truncation(strategy, limit, options.stride, tokenizer.truncation_side, tokenizer.shares_fairly)
        if cuts
        else None,
        Padding(limit if mode == "max_length" else None, multiple, where) if fills else None,
    )
