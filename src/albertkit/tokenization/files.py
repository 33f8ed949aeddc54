"""A tokenizer's folder: which files it has, what they say, and how they are written.

The layout is that of Transformers: the vocabulary, tokenizer_config.json, special_tokens_map.json and, in old folders,
added_tokens.json.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from albertkit import hub, storage
from albertkit.tokenization.vocabulary import ROLES

CONFIG = "tokenizer_config.json"
SPECIAL = "special_tokens_map.json"
ADDED = "added_tokens.json"
SPIECE = "spiece.model"
TOKENIZER = "tokenizer.json"
VOCAB = "vocab.txt"

PATTERNS = (CONFIG, SPECIAL, ADDED, SPIECE, TOKENIZER, VOCAB)

_FLAGS = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")


def fetch(name: str, **fetching: Any) -> Path:
    """The local folder of a tokenizer; see `hub.fetch`."""
    return hub.fetch(name, PATTERNS, **fetching)


def read(folder: Path) -> dict[str, Any]:
    """The constructor's keywords that a folder's files state, tokens as AddedToken."""
    keywords = storage.read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    for redundant in (
        "init_inputs",
        "auto_map",
        "tokenizer_file",
        "vocab_file",
        "special_tokens_map_file",
        "name_or_path",
    ):
        keywords.pop(redundant, None)
    decoder = {int(index): _token(token) for index, token in keywords.pop("added_tokens_decoder", {}).items()}
    if not decoder:
        roles = storage.read_json(folder / SPECIAL) if (folder / SPECIAL).is_file() else {}
        keywords |= roles
        listed = storage.read_json(folder / ADDED) if (folder / ADDED).is_file() else {}
        known = {str(_token(keywords[role])) for role in ROLES if keywords.get(role)}
        known |= {str(_token(token)) for token in keywords.get("additional_special_tokens") or ()}
        decoder = {
            index: AddedToken(token, normalized=token not in known, special=token in known)
            for token, index in listed.items()
        }
    keywords = {
        key: _token(value) if isinstance(value, dict) and "content" in value else value
        for key, value in keywords.items()
    }
    if keywords.get("additional_special_tokens"):
        keywords["additional_special_tokens"] = [_token(token) for token in keywords["additional_special_tokens"]]
    return keywords | {"added_tokens_decoder": decoder}


def write(
    folder: Path, prefix: str, config: Mapping[str, Any], roles: Mapping[str, Any], added: Mapping[str, int]
) -> None:
    """Write tokenizer_config.json, special_tokens_map.json and, where there are any, added_tokens.json."""
    storage.write_json(folder / (prefix + CONFIG), _sorted(config))
    storage.write_json(folder / (prefix + SPECIAL), _sorted(roles))
    if added:
        storage.write_json(folder / (prefix + ADDED), _sorted(added))


def fields(token: AddedToken) -> dict[str, Any]:
    """An AddedToken as JSON."""
    return {flag: getattr(token, flag) for flag in _FLAGS}


def _token(value: Any) -> AddedToken:
    if isinstance(value, Mapping):
        return AddedToken(**{flag: value[flag] for flag in _FLAGS if flag in value})
    return value if isinstance(value, AddedToken) else AddedToken(value, normalized=False)


def _sorted(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(mapping.items()))
