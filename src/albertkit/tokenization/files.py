"""A tokenizer's folder: which files it has, what they say, and how they are written.

The layout is that of Transformers: the vocabulary, tokenizer_config.json, special_tokens_map.json and, in old folders,
added_tokens.json.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from tokenizers import AddedToken

from albertkit import hub, storage
from albertkit.config_keys import FLAG, TEXT, Rule, one_of, or_none
from albertkit.errors import CheckpointError, InputError
from albertkit.tokenization import bounds
from albertkit.tokenization.sentencepiece_segmenter import SAMPLING
from albertkit.tokenization.special_tokens import FIELDS, ROLES, to_added_token
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)

CONFIG = "tokenizer_config.json"
SPECIAL = "special_tokens_map.json"
ADDED = "added_tokens.json"
SPIECE = "spiece.model"
TOKENIZER = "tokenizer.json"
VOCAB = "vocab.txt"

SEGMENTER = "albertkit_segmenter"
"""A key of CONFIG: which of the vocabularies beside it a tokenizer was made from, where it was not tokenizer.json."""

PATTERNS = (CONFIG, SPECIAL, ADDED, SPIECE, TOKENIZER, VOCAB)

LIMIT = 2**29
"""Bytes that a vocabulary may have."""

NOT_TAKEN = (
    *("init_inputs", "auto_map", "tokenizer_file", "vocab_file", "special_tokens_map_file", "name_or_path"),
    *("self", "cls", "segmenter", "keywords"),
)
"""Keys that say where the files lay when they were written, or that would be taken for arguments of our own."""
_APART = ("unk_token", "pad_token", "cls_token", "sep_token", "mask_token")


def _is_token(value: object) -> bool:
    """Whether a value is a token, as its text or with what else AddedToken says of it."""
    if isinstance(value, Mapping):
        flags = [value.get(flag, False) for flag in FIELDS if flag != "content"]
        return _is_token(value.get("content")) and all(isinstance(flag, bool) for flag in flags)
    return isinstance(value, str) and 0 < len(value) <= bounds.LONGEST


def _are_tokens(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_token, value))


def _are_roles(value: object) -> bool:
    """Whether a value is an object of tokens by the names of roles that a model has of its own."""
    return isinstance(value, dict) and all(key.isidentifier() and _is_token(token) for key, token in value.items())


def _are_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


def _is_id(value: object) -> bool:
    """Whether an id, as a number or in the digits of a key, can be that of an added token."""
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) < 9
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**8


FLAGS = (
    *("do_lower_case", "remove_space", "keep_accents", "tokenize_chinese_chars", "strip_accents"),
    *("split_special_tokens", "clean_up_tokenization_spaces"),
)
"""Settings that are true or false."""

_TOKEN = Rule("a token: its text, or an object with `content` and true or false for each flag", _is_token)
_IDS = Rule(
    "the id of an added token, a whole number from 0 to 99,999,999",
    lambda value: not isinstance(value, str) and _is_id(value),
)
_LENGTH = Rule(
    "a whole number of at least 1, or one too large for any text",
    lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 1 and value % 1 == 0,
)

RULES: dict[str, Rule] = {
    **dict.fromkeys(ROLES, or_none(_TOKEN)),
    "additional_special_tokens": or_none(Rule("a list of tokens", lambda value: _are_tokens(value))),
    "added_tokens_decoder": Rule(
        "an object of ids to tokens, each with `content` and true or false for each flag",
        lambda value: (
            isinstance(value, dict)
            and all(_is_id(index) and isinstance(token, dict) and _is_token(token) for index, token in value.items())
        ),
    ),
    **dict.fromkeys(
        ("extra_special_tokens", "model_specific_special_tokens"),
        or_none(Rule("a list of tokens, or an object of roles to tokens", lambda v: _are_tokens(v) or _are_roles(v))),
    ),
    **dict.fromkeys(FLAGS, FLAG),
    "strip_accents": or_none(FLAG),
    **dict.fromkeys(("model_max_length", "max_len"), or_none(_LENGTH)),
    "model_input_names": Rule("a list of names, the first of them that of the ids", _are_names),
    **dict.fromkeys(("padding_side", "truncation_side"), one_of(("left", "right"))),
    "tokenizer_class": or_none(TEXT),
    SEGMENTER: or_none(one_of(("sentencepiece",))),
    "sp_model_kwargs": or_none(SAMPLING),
}
"""The rule of each key that a tokenizer reads. Other keys are kept as they are."""


def require_flags(settings: Mapping[str, object]) -> None:
    """InputError for text where true or false is wanted: every text counts as true to Python, "false" too."""
    for name in FLAGS:
        if isinstance(value := settings.get(name), str):
            raise InputError(f"`{name}` must be true or false. Received: {value!r}, which is text.")


def fetch(name: str | os.PathLike[str], **fetching: Json) -> Path:
    """The local folder of a tokenizer; see `hub.fetch`."""
    return hub.fetch(name, PATTERNS, **fetching)


def read(folder: storage.Folder) -> Record:
    """The constructor's keywords that a folder's files state, tokens as AddedToken.

    CheckpointError, naming the file, for a value of the wrong kind.
    """
    keywords = _stated(folder, CONFIG)
    extra = _extra(keywords)
    listed = keywords.pop("added_tokens_decoder", None) or {}
    decoder = {int(index): to_added_token(token) for index, token in listed.items()}
    if not decoder:
        keywords = _with_roles(keywords, _stated(folder, SPECIAL))
        known = {str(to_added_token(keywords[role])) for role in ROLES if keywords.get(role)}
        known |= {str(to_added_token(token)) for token in keywords.get("additional_special_tokens") or ()}
        known |= {str(to_added_token(token)) for token in extra.values()}
        decoder = {
            index: AddedToken(token, normalized=token not in known, special=token in known)
            for token, index in _listed(folder).items()
        }
    named = [to_added_token(token) for token in keywords.get("additional_special_tokens") or ()]
    keywords = {
        key: to_added_token(value) if key in ROLES and isinstance(value, dict) else value
        for key, value in keywords.items()
        if key not in NOT_TAKEN and key not in extra  # which some files hold twice, by its own name too
    }
    if named:
        keywords["additional_special_tokens"] = named
    _require_distinct(folder, keywords)
    tokens = (*decoder.values(), *named, *map(to_added_token, extra.values()))
    bounds.require_entries(folder.path / CONFIG, [token.content for token in tokens])
    return keywords | {"added_tokens_decoder": decoder} | ({"extra_special_tokens": extra} if extra else {})


def _extra(keywords: Record) -> dict[str, Json]:
    """Take out the tokens with a role of the model's own, under either name that Transformers has for them.

    Where Transformers 5 lists them without a role, they become additional ones.
    """
    found: dict[str, Json] = {}
    for name in ("extra_special_tokens", "model_specific_special_tokens"):
        tokens = keywords.pop(name, None) or {}
        if isinstance(tokens, dict):
            found |= tokens
        else:
            keywords["additional_special_tokens"] = [*(keywords.get("additional_special_tokens") or ()), *tokens]
    return found


def _with_roles(keywords: Record, roles: Record) -> Record:
    """The keywords with what special_tokens_map.json says of tokens, all of which are special."""

    def special(token: Json) -> Json:
        return {**token, "special": True} if isinstance(token, dict) else token

    roles = {key: [*map(special, value)] if isinstance(value, list) else special(value) for key, value in roles.items()}
    listed = [*(keywords.get("additional_special_tokens") or ()), *(roles.pop("additional_special_tokens", None) or ())]
    return {**keywords, **roles, **({"additional_special_tokens": listed} if listed else {})}


def _listed(folder: storage.Folder) -> dict[str, int]:
    """The added tokens of an old folder with their ids."""
    listed = _stated(folder, ADDED, _IDS)
    for token in listed:
        if complaint := _TOKEN.complaint("added token", token):
            raise CheckpointError(f"{complaint} It stands in {folder.path / ADDED}.")
    return listed


def _require_distinct(folder: storage.Folder, keywords: Mapping[str, Json]) -> None:
    """CheckpointError where one token has two roles that a model tells apart. [CLS] also begins, [SEP] also ends."""
    named: dict[str, str] = {}
    for role in _APART:
        if keywords.get(role) and (other := named.setdefault(str(keywords[role]), role)) != role:
            raise CheckpointError(
                f"Each of {', '.join(_APART)} must be another token. {folder.path} gives {str(keywords[role])!r} to "
                f"both {other} and {role}. Correct {CONFIG}."
            )


def _stated(folder: storage.Folder, name: str, every: Rule | None = None) -> Record:
    """What a file states, each key checked by its rule or by one for `every` key; nothing where there is no file."""
    file = folder.file(name)
    stated = storage.read_json(file) if file else {}
    for key in FLAGS & stated.keys():
        if isinstance(stated[key], str) and stated[key].lower() in ("true", "false"):
            logger.warning(
                f"`{key}` must be true or false. {file} holds the text {stated[key]!r}, which is read as such."
            )
            stated[key] = stated[key].lower() == "true"
    for key, value in stated.items():
        rule = every or RULES.get(key)
        if rule and (complaint := rule.complaint(key, value)):
            raise CheckpointError(f"{complaint} It stands in {file}.")
    return stated


def write(
    folder: Path, prefix: str, config: Mapping[str, object], roles: Mapping[str, object], added: Mapping[str, int]
) -> None:
    """Write tokenizer_config.json, special_tokens_map.json and, where there are any, added_tokens.json."""
    storage.write_json(folder / (prefix + CONFIG), _sorted(config))
    storage.write_json(folder / (prefix + SPECIAL), _sorted(roles))
    if added:
        storage.write_json(folder / (prefix + ADDED), _sorted(added))


def prefix(filename_prefix: str | None) -> str:
    """What stands before the name of every file of a tokenizer that is saved with a `filename_prefix`."""
    return f"{filename_prefix}-" if filename_prefix else ""


def _sorted(mapping: Mapping[str, object]) -> dict[str, object]:
    return dict(sorted(mapping.items()))
