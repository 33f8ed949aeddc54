"""An object of the tokenizers library -> another like it, with a vocabulary learned from other texts."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tokenizers
from tokenizers import AddedToken, trainers

from albertkit.errors import InputError, WrongType
from albertkit.typing import Json, Record

_TRAINERS = {"Unigram": trainers.UnigramTrainer, "WordPiece": trainers.WordPieceTrainer}
"""The trainer of each kind of model that an ALBERT's tokenizer has."""
_OPTIONS = {
    "Unigram": ("show_progress", "initial_alphabet", "shrinking_factor", "max_piece_length", "n_sub_iterations"),
    "WordPiece": ("show_progress", "initial_alphabet", "min_frequency", "limit_alphabet"),
}
"""What each trainer may be told; of other options it says nothing."""
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized")


def retrain(
    backend: tokenizers.Tokenizer,
    texts: Iterable[str] | Iterable[Sequence[str]],
    vocab_size: int,
    new_tokens: Sequence[str | AddedToken],
    renamed: Mapping[str, str],
    length: int | None,
    **options: Any,
) -> tokenizers.Tokenizer:
    """A tokenizer that cleans and cuts text as `backend` does, with at most `vocab_size` entries learned from `texts`.

    Its special tokens are those of `backend` under their `renamed` names, with the `new_tokens` behind them. `length`
    is how many texts there are, for the progress bar, and `options` are those of the library's trainer.
    """
    stated: Record = json.loads(backend.to_str())
    added, processor, kind = stated.pop("added_tokens"), stated.pop("post_processor"), stated["model"]["type"]
    if kind not in _TRAINERS:
        raise InputError(f"A vocabulary is learned for {', '.join(_TRAINERS)}. Received: a tokenizer of type {kind}.")
    if unknown := [name for name in options if name not in _OPTIONS[kind]]:
        known = ", ".join(_OPTIONS[kind])
        raise WrongType(f"The options of training are {known}. Received: {', '.join(unknown)}. Leave it out.")
    if unknown := _empty(stated["model"], renamed):
        options["unk_token"] = unknown
    kept = [token for token in added if token["special"] or kind == "Unigram"]
    special = [
        AddedToken(renamed.get(token["content"], token["content"]), **{name: token[name] for name in _FLAGS})
        for token in kept
    ]
    trained = tokenizers.Tokenizer.from_str(json.dumps({**stated, "added_tokens": []}))
    trainer = _TRAINERS[kind](vocab_size=vocab_size, special_tokens=[*special, *new_tokens], **options)
    trained.train_from_iterator(texts, trainer=trainer, length=length)
    if processor is None:
        return trained
    renumbered = _renumbered(processor, trained, renamed)
    return tokenizers.Tokenizer.from_str(json.dumps({**json.loads(trained.to_str()), "post_processor": renumbered}))


def each_text(texts: Iterable[str] | Iterable[Sequence[str]]) -> Iterator[str]:
    """The texts of an iterable of texts, or of batches of them."""
    for one in texts:
        yield from [one] if isinstance(one, str) else one


def _empty(model: Record, renamed: Mapping[str, str]) -> str | None:
    """Take the vocabulary out of a model, and give the unknown token that a trainer must be told, if any."""
    if model["type"] == "Unigram":
        if model["unk_id"] is None:
            model["vocab"] = []
            return None
        unknown = str(model["vocab"][model["unk_id"]][0])
        unknown = renamed.get(unknown, unknown)
        model |= {"vocab": [[unknown, 0.0]], "unk_id": 0}
        return unknown
    model |= {"vocab": {}, "unk_token": renamed.get(model["unk_token"], model["unk_token"])}
    return None


def _renumbered(processor: Record, trained: tokenizers.Tokenizer, renamed: Mapping[str, str]) -> Json:
    """A post-processor with its tokens under their new names and ids."""

    def found(token: str) -> tuple[str, int]:
        name = renamed.get(token, token)
        index = trained.token_to_id(name)
        if index is None:
            raise InputError(f"The tokens around a text must be in the vocabulary. Received: one without {name!r}.")
        return name, index

    processor = {**processor}
    for role in ("cls", "sep"):
        if role in processor:
            processor[role] = list(found(processor[role][0]))
    if "special_tokens" in processor:
        listed = {}
        for key, one in processor["special_tokens"].items():
            names, ids = zip(*map(found, one["tokens"]), strict=True)
            listed[renamed.get(key, key)] = {"id": renamed.get(key, key), "ids": list(ids), "tokens": list(names)}
        processor["special_tokens"] = listed
        for template in ("single", "pair"):
            for step in processor[template]:
                if token := step.get("SpecialToken"):
                    token["id"] = renamed.get(token["id"], token["id"])
    return processor
