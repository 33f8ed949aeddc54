"""TokenRoles: which tokens are special to a tokenizer, by their roles. Names and meanings are those of Transformers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from tokenizers import AddedToken

from albertkit.errors import InputError
from albertkit.tokenization.special_tokens import ROLES, TokenLike, to_special_token

ADDITIONAL = "additional_special_tokens"

_CHAT = "ALBERT reads texts and pairs of texts, and answers no chats: put what was said into one text yourself."
_TARGETS = "Pass the other texts as text_target to a call: their ids are its column `labels`."
_EACH_CALL = "Pass padding, truncation and max_length to each call."
_INSTEAD = {
    **dict.fromkeys(("apply_chat_template", "get_chat_template", "save_chat_templates"), _CHAT),
    "encode_message_with_chat_template": _CHAT,
    **dict.fromkeys(("prepare_seq2seq_batch", "as_target_tokenizer"), _TARGETS),
    **dict.fromkeys(("set_truncation_and_padding", "truncate_sequences"), _EACH_CALL),
    "sanitize_special_tokens": "Special tokens are always in the vocabulary.",
    "register_for_auto_class": "Transformers' own classes read what save_pretrained writes.",
    "preprocess_text": "AlbertNormalizer of albertkit.tokenization.normalizer cleans a text as this tokenizer does.",
}
"""Attributes of Transformers' tokenizers that are not here, and what to do instead."""


class _SpecialToken:
    """A special token by its role, such as `tokenizer.mask_token`: its text or None, settable to a known token.

    Typed Any, as its id is: every ALBERT tokenizer has these tokens, and callers need not ask each time.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.role = name

    def __get__(self, tokenizer: "TokenRoles | None", owner: type | None = None) -> Any:
        if tokenizer is None:
            return self
        token = tokenizer._special[self.role]
        return None if token is None else token.content

    def __set__(self, tokenizer: "TokenRoles", value: str | AddedToken | None) -> None:
        tokenizer._special[self.role] = tokenizer._known(self.role, value)


class _SpecialTokenId:
    """The id of a special token by its role, such as `tokenizer.mask_token_id`, or None; settable to a token's id."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.role = name.removesuffix("_id")

    def __get__(self, tokenizer: "TokenRoles | None", owner: type | None = None) -> Any:
        if tokenizer is None:
            return self
        token = tokenizer._special[self.role]
        return None if token is None else tokenizer.find(token.content)

    def __set__(self, tokenizer: "TokenRoles", value: int | None) -> None:
        setattr(tokenizer, self.role, None if value is None else tokenizer.convert_ids_to_tokens(value))


class TokenRoles(ABC):
    """The special tokens of a vocabulary: seven roles that all tokenizers have, roles of a model's own, and others."""

    SPECIAL_TOKENS_ATTRIBUTES: ClassVar[list[str]] = [*ROLES, ADDITIONAL]
    """The names of the attributes that hold special tokens."""

    bos_token, bos_token_id = _SpecialToken(), _SpecialTokenId()
    eos_token, eos_token_id = _SpecialToken(), _SpecialTokenId()
    unk_token, unk_token_id = _SpecialToken(), _SpecialTokenId()
    sep_token, sep_token_id = _SpecialToken(), _SpecialTokenId()
    pad_token, pad_token_id = _SpecialToken(), _SpecialTokenId()
    cls_token, cls_token_id = _SpecialToken(), _SpecialTokenId()
    mask_token, mask_token_id = _SpecialToken(), _SpecialTokenId()

    _special: dict[str, AddedToken | None]
    _additional: list[AddedToken]
    _extra: dict[str, AddedToken]

    @abstractmethod
    def find(self, token: str) -> int | None:
        """The id of a token, or None where there is no such token."""

    @abstractmethod
    def add_special_tokens(
        self, special_tokens_dict: Mapping[str, Any], replace_additional_special_tokens: bool = True
    ) -> int:
        """Give tokens their role, adding those that are new."""

    @abstractmethod
    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """Tokens -> ids."""

    @abstractmethod
    def convert_ids_to_tokens(self, ids: Any) -> Any:
        """Ids -> tokens."""

    def __getattr__(self, name: str) -> Any:
        """A token with a role of the model's own, and its id: `image_token` of extra_special_tokens."""
        extra = self.__dict__.get("_extra", {})
        if name in extra:
            return extra[name].content
        if name.removesuffix("_id") in extra:
            return self.find(extra[name.removesuffix("_id")].content)
        instead = f" {_INSTEAD[name]}" if name in _INSTEAD else ""
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.{instead}", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        extra = self.__dict__.get("_extra", {})
        if name in extra:
            extra[name] = self._known(name, value)
        elif name.removesuffix("_id") in extra:
            extra[name.removesuffix("_id")] = self._known(name, self.convert_ids_to_tokens(value))
        else:
            super().__setattr__(name, value)

    def _known(self, role: str, value: TokenLike | None) -> AddedToken | None:
        """A token of the vocabulary as a special one. InputError for one that the vocabulary lacks."""
        token = to_special_token(value)
        if token is not None and self.find(token.content) is None:
            raise InputError(
                f"`{role}` must be a token of the vocabulary. Received: {token.content!r}. To take in a new one call "
                f"add_special_tokens({{{role!r}: {token.content!r}}}) and resize the model's embeddings."
            )
        return token

    @property
    def additional_special_tokens(self) -> list[str]:
        """Special tokens without a role. Set to None, there are none."""
        return [token.content for token in self._additional]

    @additional_special_tokens.setter
    def additional_special_tokens(self, tokens: Sequence[str | AddedToken] | None) -> None:
        self.add_special_tokens({ADDITIONAL: tokens or []})

    @property
    def additional_special_tokens_ids(self) -> list[int]:
        """The ids of the special tokens without a role; set to other ids, the tokens of these."""
        return self.convert_tokens_to_ids(self.additional_special_tokens)

    @additional_special_tokens_ids.setter
    def additional_special_tokens_ids(self, ids: Iterable[int] | None) -> None:
        self.additional_special_tokens = self.convert_ids_to_tokens(ids or [])

    @property
    def extra_special_tokens(self) -> dict[str, str]:
        """Special tokens with a role of the model's own, by its name."""
        return {role: token.content for role, token in self._extra.items()}

    @property
    def special_tokens_map_extended(self) -> dict[str, AddedToken | list[AddedToken]]:
        """Special tokens by role; those without one together as `additional_special_tokens`."""
        named = {role: token for role, token in self._special.items() if token is not None}
        return {**named, **({ADDITIONAL: self._additional} if self._additional else {}), **self._extra}

    @property
    def special_tokens_map(self) -> dict[str, str | list[str]]:
        """The same as text."""
        return {
            role: [one.content for one in token] if isinstance(token, list) else token.content
            for role, token in self.special_tokens_map_extended.items()
        }

    @property
    def all_special_tokens_extended(self) -> list[AddedToken]:
        """All special tokens, each once: those with a role in the order of the roles, then the others."""
        tokens = (*self._special.values(), *self._additional, *self._extra.values())
        return list({token.content: token for token in tokens if token is not None}.values())

    @property
    def all_special_tokens(self) -> list[str]:
        """The same as text."""
        return [token.content for token in self.all_special_tokens_extended]

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of all special tokens, each once."""
        return self.convert_tokens_to_ids(self.all_special_tokens)
