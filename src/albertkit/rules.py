"""Rules that every framework holds to: what a model's inputs must look like, what labels mean.

Knows shapes and ranges, not arrays. Letters: B batch, L sequence length, N heads, V vocabulary, C classes.
"""

from numbers import Integral

from albertkit.config import AlbertConfig
from albertkit.config_keys import PROBLEM_TYPES
from albertkit.errors import ConfigError, InputError, TokenIdError

IGNORED = -100
"""The label that a loss leaves out."""
NO_SCORE = -1e30
"""The score in float32 of a place where nothing may begin or end: its chance is 0, and all sums stay finite."""
SMALLEST_NORM = 1e-12
"""What is added to the square of a vector's norm, so that a vector of zeros has a cosine: 0."""


def require_config(model: str, config: object) -> None:
    """TypeError unless `config` is a config; ConfigError where no model can be built from it."""
    if not isinstance(config, AlbertConfig):
        raise TypeError(
            f"{model}(config) takes an AlbertConfig. Received: {type(config).__name__}. To read a checkpoint call "
            f"{model}.from_pretrained(name)."
        )
    config.validate()


def require_inputs(input_ids: object, inputs_embeds: object) -> None:
    """InputError unless exactly one of the two is given."""
    if input_ids is not None and inputs_embeds is not None:
        raise InputError("A model takes tokens as `input_ids` or as `inputs_embeds`. Received: both. Leave one out.")
    if input_ids is None and inputs_embeds is None:
        raise InputError("A model takes tokens as `input_ids` or as `inputs_embeds`. Received: neither. Pass one.")


def require_own_vocabulary(is_shared: bool, size: int, wanted: int) -> None:
    """InputError for another size of the vocabulary on the encoder inside a model whose head scores that vocabulary."""
    if is_shared and wanted != size:
        raise InputError(
            "The vocabulary of an encoder and of the masked-language-model head on it change together. Received: "
            f"{wanted} tokens in the place of {size}, for the encoder alone. Call the same method of the whole model: "
            "model.resize_token_embeddings(n), not model.albert.resize_token_embeddings(n)."
        )


def require_length(length: int, longest: int) -> None:
    """InputError for a sequence longer than the position table."""
    if length > longest:
        raise InputError(
            f"A sequence must not be longer than `max_position_embeddings`. Received: {length} tokens, {longest} "
            f"positions. Truncate, or cut into windows: tokenizer(..., truncation=True, max_length={longest})."
        )


def require_ids_array(name: str, shape: tuple[object, ...], is_integer: bool) -> None:
    """InputError for ids that are not integers of shape (B, L)."""
    if len(shape) != 2 or not is_integer:
        kind = "integers" if is_integer else "other values than integers"
        raise InputError(
            f"`{name}` must be integers of shape (B, L). Received: {kind} of shape {shape}. A text alone is a batch "
            f"of one: {name}[None]."
        )


def require_ids(name: str, lowest: int, highest: int, size: int) -> None:
    """TokenIdError for ids outside 0..size-1."""
    if lowest < 0 or highest >= size:
        raise TokenIdError(
            f"`{name}` must lie in 0..{size - 1}, the rows of the embedding table. Received: {lowest} to {highest}. "
            "Check that the tokenizer belongs to the model; after adding tokens call "
            "model.resize_token_embeddings(len(tokenizer))."
        )


def require_mask(shape: tuple[int, ...], batch: int, length: int) -> None:
    """InputError for an attention mask that is not (B, L), (B, L, L) or (B or 1, 1 or N, 1 or L, L)."""
    fits = {
        2: shape == (batch, length),
        3: shape == (batch, length, length),
        4: len(shape) == 4 and shape[0] in (1, batch) and shape[2] in (1, length) and shape[3] == length,
    }
    if not fits.get(len(shape), False):
        raise InputError(
            f"`attention_mask` must have the shape (B, L), (B, L, L) or (B, 1 or heads, L, L) with B {batch} and L "
            f"{length}. Received: {shape}."
        )


def require_head_mask(shape: tuple[int, ...], layers: int, heads: int) -> None:
    """InputError for a head mask that is not (N,), (layers, N) or (layers, B, 1 or N, L, L)."""
    fits = {
        1: shape == (heads,),
        2: shape == (layers, heads),
        5: len(shape) == 5 and shape[0] == layers and shape[2] in (1, heads),
    }
    if not fits.get(len(shape), False):
        raise InputError(
            f"`head_mask` must have the shape (heads,), (layers, heads) or (layers, B, heads, L, L) with {layers} "
            f"layers and {heads} heads. Received: {shape}."
        )


def require_labels_array(name: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """InputError for labels of another shape than `wanted`. Axes of size 1 at the end do not count."""
    if _without_ones(shape) != _without_ones(wanted):
        raise InputError(
            f"`{name}` must have the shape {wanted}, as what it is compared with. Received: {shape}. A text has one "
            "integer, (B,), or with `problem_type` multi_label_classification a 0 or 1 for each class, (B, C); a token "
            "has one, (B, L); an answer has one place, (B,)."
        )


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def require_labels(name: str, lowest: int, highest: int, classes: int) -> None:
    """InputError for classes outside 0..C-1; those that a loss leaves out are not among `lowest` and `highest`."""
    if lowest < 0 or highest >= classes:
        raise InputError(
            f"`{name}` must lie in 0..{classes - 1}, what the model tells apart, or be {IGNORED} to be left out. "
            f"Received: {lowest} to {highest}. Number classes from 0 and load the model with as many, "
            "from_pretrained(..., num_labels=...); take tokens from the model's own tokenizer."
        )


def vocabulary_size(old: int, new: int | None, pad_to_multiple_of: int | None) -> int:
    """The size that a vocabulary of `old` tokens is resized to: `new`, rounded up to a multiple."""
    size = old if new is None else new
    if not isinstance(size, Integral):
        raise InputError(f"A vocabulary's size must be an integer. Received: {size!r}. Pass len(tokenizer).")
    if pad_to_multiple_of is not None:
        if not isinstance(pad_to_multiple_of, int):
            raise InputError(
                f"`pad_to_multiple_of` must be a whole number, to which rows are rounded up. Received: "
                f"{pad_to_multiple_of!r}. Pass one such as 64, or None."
            )
        size = -(-size // pad_to_multiple_of) * pad_to_multiple_of
    if size < 1:
        raise InputError(f"A vocabulary needs at least one token. Received: {size}.")
    return int(size)


def problem_type(stated: str | None, classes: int, has_integer_labels: bool) -> str:
    """The kind of problem that `config.problem_type` states, or that C and the dtype of the labels show."""
    regression, single, several = PROBLEM_TYPES
    if stated is None:
        if classes == 1:
            return regression
        return single if has_integer_labels else several
    if stated not in PROBLEM_TYPES:
        raise ConfigError(f"`problem_type` is not one that a loss is known for. Received: {stated!r}.")
    return stated


def require_sentences(embeddings: tuple[object, ...], labels: tuple[object, ...], is_integer: bool) -> None:
    """InputError unless (B, S, H) embeddings have S sentences a row as their (B,) labels need: 2, or of groups more."""
    fits = len(embeddings) == 3 and labels == embeddings[:1]
    if not fits or embeddings[1] == 1 or (embeddings[1] != 2 and not is_integer):
        wanted = "an anchor, a positive and maybe hard negatives" if is_integer else "two sentences"
        raise InputError(
            f"Rows of sentences must be of {wanted} each, with a label a row. Received: embeddings of shape "
            f"{embeddings} and labels of shape {labels}. Pass `input_ids` (B, S, L) and `labels` (B,): integers for "
            "groups of rows that are no negatives of each other, or numbers that the cosines are to have."
        )


def require_token_mask(shape: tuple[object, ...]) -> None:
    """InputError for an attention mask that does not say which places hold a token."""
    if len(shape) != 2:
        raise InputError(
            f"A sentence is pooled over the tokens that `attention_mask` (B, L) marks. Received: a mask of shape "
            f"{shape}. Pass one with an entry a token."
        )
