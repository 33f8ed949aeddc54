"""Special tokens: the roles they may have, and the forms in which a token is given."""

from collections.abc import Mapping

from tokenizers import AddedToken

from albertkit.errors import WrongType, abbreviate
from albertkit.typing import Json, Record

ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""What a special token may be to a tokenizer: the names of the attributes that hold them, as in Transformers."""

FIELDS = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
"""The fields of an AddedToken: its text, and what it says of the text around it."""

TokenLike = str | AddedToken | Mapping[str, Json]
"""A token as its text, as an AddedToken, or as the fields of one, which is how files hold it."""


def fields(token: AddedToken) -> Record:
    """An AddedToken as JSON."""
    return {name: getattr(token, name) for name in FIELDS}


def replace(token: AddedToken, **changes: Json) -> AddedToken:
    """A copy of a token that differs in some of its fields."""
    return AddedToken(**fields(token) | changes)


def to_added_token(token: TokenLike) -> AddedToken:
    """A token as an AddedToken; one that is given as text alone is found exactly as written. WrongType for others."""
    if isinstance(token, Mapping):
        return AddedToken(**{name: token[name] for name in FIELDS if name in token})
    if not isinstance(token, (str, AddedToken)):
        raise WrongType(f"A token is its text or an AddedToken. Received: {abbreviate(token)}.")
    return token if isinstance(token, AddedToken) else AddedToken(token, normalized=False)


def to_special_token(token: TokenLike | None) -> AddedToken | None:
    """A token as a special AddedToken; None stays None. TypeError for a field that an AddedToken has not."""
    if token is None:
        return None
    if isinstance(token, Mapping):  # `special` is set last: it would change what a missing `normalized` means
        token = AddedToken(**{name: value for name, value in token.items() if name not in ("__type", "special")})
    return replace(to_added_token(token), special=True)
