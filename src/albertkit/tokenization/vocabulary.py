"""Vocabulary: the tokens of a tokenizer, special and added ones among them, their ids and the text they stand for.

Names and meanings are those of Transformers' tokenizers.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

import numpy as np
from tokenizers import AddedToken

from albertkit.errors import InputError, WrongType, abbreviate
from albertkit.tokenization.columns import Column, to_lists
from albertkit.tokenization.segmenter import Segmenter
from albertkit.tokenization.special_tokens import ROLES, TokenLike, to_special_token
from albertkit.tokenization.token_roles import ADDITIONAL, TokenRoles


class Vocabulary(TokenRoles):
    """The part of a tokenizer that knows its tokens: by id, by role, and those added beside the vocabulary.

    V, `vocab_size`, counts the entries of the vocabulary file; tokens that it lacks get the ids from V on.
    """

    clean_up_tokenization_spaces = False
    """Whether `decode` takes away the spaces before punctuation and English contractions."""

    def __init__(
        self,
        segmenter: Segmenter,
        roles: Mapping[str, TokenLike | None],
        additional: Iterable[str | AddedToken] = (),
        added: Mapping[int, AddedToken] | None = None,
        extra: Mapping[str, TokenLike] | None = None,
    ) -> None:
        """`added` come under the ids they had; special tokens that the vocabulary lacks get new ones behind it.

        `roles` are those of all tokenizers, `extra` are the model's own.
        """
        self._segmenter = segmenter
        ids = segmenter.added.ids
        segmenter.add_tokens({i: token for i, token in sorted((added or {}).items()) if ids.get(token.content) != i})
        known = {token.content: token for token in segmenter.added.by_id.values()}
        tokens = {role: to_special_token(roles.get(role)) for role in ROLES}
        self._special = {role: token and known.get(token.content, token) for role, token in tokens.items()}
        extras = {role: to_special_token(token) for role, token in (extra or {}).items()}
        self._additional: list[AddedToken] = []
        self._register([token for token in (*self._special.values(), *extras.values()) if token])
        self._extra = {role: token for role, token in extras.items() if token}
        self.add_tokens([*additional, *(token for token in known.values() if token.special)], special_tokens=True)

    @property
    def vocab_size(self) -> int:
        """Entries of the vocabulary without added tokens: V of a model without any."""
        return self._segmenter.vocab_size

    def __len__(self) -> int:
        """Entries of the vocabulary with added tokens: what `model.resize_token_embeddings` needs."""
        return max([self.vocab_size, *(index + 1 for index in self._segmenter.added.by_id)])

    @property
    def vocab(self) -> dict[str, int]:
        """`get_vocab()`."""
        return self.get_vocab()

    def get_vocab(self) -> dict[str, int]:
        """All tokens with their ids, in the order of the ids."""
        entries = ((self._segmenter.id_to_token(index), index) for index in range(self.vocab_size))
        vocabulary = {piece: index for piece, index in entries if piece is not None} | self._segmenter.added.ids
        return dict(sorted(vocabulary.items(), key=lambda item: item[1]))

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Tokens that are found before the text is cut into pieces, by id, in its order; special ones among them."""
        return dict(sorted(self._segmenter.added.by_id.items()))

    @property
    def added_tokens_encoder(self) -> dict[str, int]:
        """The ids of the same tokens, by their text."""
        return {token.content: index for index, token in self.added_tokens_decoder.items()}

    get_added_vocab = added_tokens_encoder.fget

    def add_tokens(
        self, new_tokens: str | AddedToken | Sequence[str | AddedToken], special_tokens: bool = False
    ) -> int:
        """Add tokens that are never cut, and say how many are new. Then call model.resize_token_embeddings(len(self)).

        A plain string is found whatever its case where the tokenizer lower-cases; an AddedToken says more. TypeError
        for what is neither.
        """
        tokens = []
        known = set(self.all_special_tokens)
        for token in new_tokens if isinstance(new_tokens, (list, tuple)) else [new_tokens]:
            if not isinstance(token, (str, AddedToken)):
                raise WrongType(f"A token is a string or an AddedToken. Received: {abbreviate(token)}.")
            if special_tokens or str(token) in known:
                token = to_special_token(token)
            tokens.append(AddedToken(token, normalized=True) if isinstance(token, str) else token)
        new = self._register(tokens)
        for token in tokens:
            if token.special and token.content not in known:
                known.add(token.content)
                self._additional.append(token)
        return new

    def add_special_tokens(
        self,
        special_tokens_dict: Mapping[str, Any],
        replace_additional_special_tokens: bool = True,
    ) -> int:
        """Give tokens their role, adding those that are new, and say how many are: {"mask_token": "<mask>"}.

        InputError for a role that there is not. Tokens of "additional_special_tokens" take the place of the ones before
        them, or join them without `replace_additional_special_tokens`.
        """
        before = len(self)
        for role, value in special_tokens_dict.items():
            if role == ADDITIONAL:
                if not isinstance(value, (list, tuple)):
                    raise InputError(f"`{ADDITIONAL}` must be a list of tokens. Received: {abbreviate(value)}.")
                tokens = [token for one in value if (token := to_special_token(one))]
                self._register(tokens)
                kept = [] if replace_additional_special_tokens else self._additional
                self._additional = list({token.content: token for token in (*kept, *tokens)}.values())
            elif role in ROLES or role in self._extra:
                token = to_special_token(value)
                self._register([token] if token else [])
                setattr(self, role, token)
            else:
                roles = ", ".join((*ROLES, *self._extra))
                raise InputError(f"A special token has one of the roles {roles} or {ADDITIONAL}. Received: {role!r}.")
        return len(self) - before

    def _register(self, tokens: Iterable[AddedToken]) -> int:
        """Mark tokens as added, with a new id where the vocabulary lacks them. Returns the number of new ids."""
        before = free = len(self)
        new: dict[int, AddedToken] = {}
        taken = set(self._segmenter.added.ids)
        for token in tokens:
            token = self._segmenter.added.normalized(token)
            if token.content and token.content not in taken:
                taken.add(token.content)
                index = self._segmenter.token_to_id(token.content)
                new[free if index is None else index] = token
                free += index is None
        self._segmenter.add_tokens(new)
        return free - before

    def find(self, token: str) -> int | None:
        """The id of a token, or None where there is no such token."""
        index = self._segmenter.added.ids.get(token)
        return self._segmenter.token_to_id(token) if index is None else index

    @overload
    def convert_tokens_to_ids(self, tokens: None) -> None: ...
    @overload
    def convert_tokens_to_ids(self, tokens: str) -> int: ...
    @overload
    def convert_tokens_to_ids(self, tokens: list[str] | tuple[str, ...]) -> list[int]: ...
    def convert_tokens_to_ids(self, tokens: str | Sequence[str] | None) -> int | list[int] | None:
        """Token or tokens -> id or ids; that of <unk> for what the vocabulary lacks, and None for None."""
        if tokens is None:
            return None
        if isinstance(tokens, str):
            index = self.find(tokens)
            return self.unk_token_id if index is None else index
        return [self.convert_tokens_to_ids(token) for token in tokens]

    @overload
    def convert_ids_to_tokens(self, ids: int, skip_special_tokens: bool = False) -> str: ...
    @overload
    def convert_ids_to_tokens(self, ids: Iterable[int], skip_special_tokens: bool = False) -> list[str]: ...
    def convert_ids_to_tokens(self, ids: int | Iterable[int], skip_special_tokens: bool = False) -> str | list[str]:
        """Id or ids -> token or tokens. InputError for an id that no token has."""
        if isinstance(ids, (int, np.integer)):
            added = self._segmenter.added.by_id.get(int(ids))
            token = self._segmenter.id_to_token(int(ids)) if added is None else added.content
            if token is None:
                raise InputError(f"An id must lie in 0..{len(self) - 1}, the vocabulary. Received: {ids}.")
            return token
        skipped = set(self.all_special_ids) if skip_special_tokens else set()
        return [self.convert_ids_to_tokens(int(index)) for index in ids if int(index) not in skipped]

    def _convert_id_to_token(self, index: int) -> str:
        # Transformers' DataCollatorForWholeWordMask asks by this name.
        return self.convert_ids_to_tokens(index)

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text that tokens stand for: "[CLS] hello world[SEP]".

        Special tokens are written as they are, text before one of them with a space in front, and text behind the last
        without, as Transformers' slow tokenizer does.
        """
        special = set(self.all_special_tokens)
        text, run = "", []
        for token in tokens:
            if token not in special:
                run.append(token)
                continue
            text += f" {self._segmenter.decode_pieces(run)}{token}" if run else token
            run = []
        return (text + self._segmenter.decode_pieces(run)).strip()

    def decode(
        self,
        token_ids: Column,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        spaces_between_special_tokens: bool = True,
    ) -> str:
        """The text that ids stand for: one id, a list of them, or an array (L) of any framework.

        Added tokens without a special role are set off by spaces. InputError for an id that no token has.
        """
        ids = to_lists(token_ids)
        if ids is None:
            raise WrongType("What is decoded is an id, a list of ids or an array of them. Received: None.")
        tokens = self.convert_ids_to_tokens([ids] if isinstance(ids, int) else ids, skip_special_tokens)
        apart = set(self.added_tokens_encoder) - {token.content for token in self._special.values() if token}
        runs: list[str] = []
        for is_apart, group in itertools.groupby(tokens, key=apart.__contains__):
            run = list(group)
            runs += run if is_apart else [self.convert_tokens_to_string(run)]
        text = (" " if spaces_between_special_tokens else "").join(run for run in runs if run)
        if clean_up_tokenization_spaces is None:
            clean_up_tokenization_spaces = self.clean_up_tokenization_spaces
        return self.clean_up_tokenization(text) if clean_up_tokenization_spaces else text

    def batch_decode(
        self,
        sequences: Iterable[Column],
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        spaces_between_special_tokens: bool = True,
    ) -> list[str]:
        """`decode` of each row of ids (B, L)."""
        options = skip_special_tokens, clean_up_tokenization_spaces, spaces_between_special_tokens
        return [self.decode(row, *options) for row in sequences]

    @staticmethod
    def clean_up_tokenization(out_string: str) -> str:
        """A text without the spaces before punctuation and English contractions."""
        for mark in (".", "?", "!", ","):
            out_string = out_string.replace(f" {mark}", mark)
        out_string = out_string.replace(" ' ", "'")
        for ending in ("n't", "'m", "'s", "'ve", "'re"):
            out_string = out_string.replace(f" {ending}", ending)
        return out_string
