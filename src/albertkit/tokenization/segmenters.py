"""Text <-> tokens of one vocabulary, in the two libraries that do it: SentencePiece and tokenizers.

A segmenter finds added tokens, cleans the text and cuts it into pieces. It knows nothing of pairs, lengths or padding.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import sentencepiece
import tokenizers
from tokenizers import AddedToken

from albertkit.config_keys import FLAG, Rule, or_none
from albertkit.errors import CheckpointError, InputError
from albertkit.tokenization.added_vocabulary import AddedVocabulary, TextSpan
from albertkit.tokenization.bounds import not_spiece, require_normalized
from albertkit.tokenization.encoding import TokenizedText
from albertkit.tokenization.guard import guarded
from albertkit.tokenization.normalizer import SURROGATE, Normalizer, Offsets

UNDERLINE = "▁"
SPIECE, TOKENIZER = "spiece.model", "tokenizer.json"
_BATCH = 64


def _can_sample(settings: Any) -> bool:
    if not isinstance(settings, dict) or not or_none(FLAG).holds(settings.get("enable_sampling")):
        return False
    best, alpha = (settings.get(key) for key in ("nbest_size", "alpha"))
    none = (0, 1) if settings.get("enable_sampling") else ()
    is_size = isinstance(best, int) and not isinstance(best, bool) and -(2**31) <= best <= 512 and best not in none
    is_alpha = isinstance(alpha, (int, float)) and not isinstance(alpha, bool) and 0 <= alpha <= 1e30
    return (best is None or is_size) and (alpha is None or is_alpha)


SAMPLING = Rule(
    "an object: `enable_sampling` true or false, `nbest_size` -1 or from 2 to 512, `alpha` a number of at least 0",
    _can_sample,
)
"""What SentencePiece takes as settings of sampling."""


class Segmenter(Protocol):
    """What the tokenizer classes need from a library."""

    vocab_size: int
    """Entries of the vocabulary, without added tokens."""
    fair: bool
    """How an odd place is shared between two texts; see encoding.Truncation."""
    random: bool
    """Whether the same text may be cut differently the next time."""
    added: AddedVocabulary

    threads: int
    """How many threads SentencePiece uses at once; -1: as many as there are cores."""

    def encode(self, texts: Sequence[str], align: bool, split_special_tokens: bool) -> list[TokenizedText]:
        """Tokens of each text; with their pieces, offsets and words where `align`."""
        ...

    def encode_flat(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of texts as text only, one behind another (T,), and how many each has (S,); int32 and int64."""
        ...

    def id_to_token(self, index: int) -> str | None:
        """The vocabulary's entry at `index`, or None beyond its end."""
        ...

    def token_to_id(self, piece: str) -> int | None:
        """Where the vocabulary holds `piece`, or None."""
        ...

    def decode_pieces(self, pieces: Sequence[str]) -> str:
        """The text that pieces stand for."""
        ...

    def add_token(self, token: AddedToken, index: int) -> None:
        """Take in an added token."""
        ...


class SentencePieceSegmenter:
    """A SentencePiece model with ALBERT's normalizer before it and ALBERT's digit-comma rule behind it.

    The rule: a piece that ends in a digit and a comma, such as `▁9,`, is cut again without its comma, so that numbers
    read alike wherever they stand (`encode_pieces` of the original).
    """

    fair = True
    threads = -1

    def __init__(self, model: bytes, normalizer: Normalizer, source: str = SPIECE, **sampling: Any) -> None:
        """`source` names the file that the model was read from, for errors."""
        unknown = sampling.keys() - {"enable_sampling", "nbest_size", "alpha"}
        if unknown:
            raise InputError(
                f"`sp_model_kwargs` may hold enable_sampling, nbest_size and alpha. Received: {', '.join(unknown)}."
            )
        if complaint := SAMPLING.complaint("sp_model_kwargs", sampling):
            raise InputError(complaint)
        self.model = model
        self.source = source
        self.normalizer = normalizer
        self.sampling = sampling
        self.random = bool(sampling.get("enable_sampling"))
        self.added = AddedVocabulary(normalizer.do_lower_case)
        try:
            if not model:
                raise RuntimeError("it is empty")
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
            self.vocab_size = self._processor.get_piece_size()
            self._pieces = self._processor.id_to_piece(list(range(self.vocab_size)))
        except Exception as error:  # RuntimeError for most, UnicodeDecodeError for a piece that is no text, ...
            raise not_spiece(source, model, error) from error
        commas = {index: piece for index, piece in enumerate(self._pieces) if ends_in_digit_comma(piece)}
        self._recut = {index: self._without_comma(piece) for index, piece in commas.items()}
        # Without a comma in the vocabulary, an unknown stretch of text may end in digit and comma too.
        self._knows_comma = self.token_to_id(",") is not None

    def __getstate__(self) -> dict[str, Any]:
        own = {"model": self.model, "normalizer": self.normalizer, "source": self.source}
        return own | {"sampling": self.sampling, "added": self.added.by_id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["model"], state["normalizer"], state["source"], **state["sampling"])
        for index, token in state["added"].items():
            self.add_token(token, index)

    def add_token(self, token: AddedToken, index: int) -> None:
        """Take in an added token."""
        self.added.add(token, index)

    def id_to_token(self, index: int) -> str | None:
        """The model's piece at `index`."""
        return self._pieces[index] if 0 <= index < self.vocab_size else None

    def token_to_id(self, piece: str) -> int | None:
        """Where the model holds `piece`."""
        index = self._processor.piece_to_id(piece)
        return index if self._pieces[index] == piece else None

    def decode_pieces(self, pieces: Sequence[str]) -> str:
        """The text that pieces stand for."""
        with guarded(self.source):
            return self._processor.decode_pieces(list(pieces))

    def encode(self, texts: Sequence[str], align: bool, split_special_tokens: bool) -> list[TokenizedText]:
        """Tokens of each text. See Segmenter."""
        if split_special_tokens:
            parts = [[TextSpan(0, len(text), None)] if text else [] for text in texts]
        else:
            parts = [self.added.split(text) for text in texts]
        plain = [
            text if part.end - part.start == len(text) else text[part.start : part.end]
            for text, cuts in zip(texts, parts, strict=True)
            for part in cuts
            if part.token_id is None
        ]
        runs = self._aligned(plain) if align else self._bare(plain)
        return [self._gather(text, cuts, runs, align) for text, cuts in zip(texts, parts, strict=True)]

    def encode_flat(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of texts as text only. See Segmenter."""
        if not self._knows_comma:
            return concatenate([tokens.ids for tokens in self.encode(texts, align=False, split_special_tokens=True)])
        normalized = [self.normalizer(text) for text in texts]
        ids, lengths = concatenate(self._cut(normalized, out_type=int, num_threads=self.threads, **self.sampling))
        known = np.zeros(self.vocab_size, bool)
        known[list(self._recut)] = True
        places = np.flatnonzero(known[ids])
        new = [[index for index, _ in self._recut[old]] for old in ids[places].tolist()]
        counts = np.ones(len(ids), np.int64)
        counts[places] = [len(cuts) for cuts in new]
        np.add.at(lengths, np.repeat(np.arange(len(texts)), lengths)[places], counts[places] - 1)
        ids, starts = np.repeat(ids, counts), np.cumsum(counts) - counts
        for start, cuts in zip(starts[places].tolist(), new, strict=True):
            ids[start : start + len(cuts)] = cuts
        return ids, lengths

    def _cut(self, texts: str | list[str], **options: Any) -> Any:
        """What SentencePiece makes of texts. CheckpointError where it fails over them."""
        with guarded(self.source):
            return self._processor.encode(texts, **options)

    def _bare(self, texts: list[str]) -> Iterator[TokenizedText]:
        if not self._knows_comma:
            yield from (TokenizedText(tokens.ids) for tokens in self._aligned(texts))
            return
        normalized = [self.normalizer(text) for text in texts]
        rows = self._cut(normalized, out_type=int, num_threads=self.threads, **self.sampling)
        for ids in rows:
            if not self._recut.keys().isdisjoint(ids):
                ids = [
                    new
                    for index in ids
                    for new in ([n for n, _ in self._recut[index]] if index in self._recut else [index])
                ]
            yield TokenizedText(ids)

    def _aligned(self, texts: list[str]) -> Iterator[TokenizedText]:
        for start in range(0, len(texts), _BATCH):  # Spans of single characters are large: a few texts at a time.
            normalized = [self.normalizer.with_offsets(text) for text in texts[start : start + _BATCH]]
            for (ids, pieces, offsets), (_, spans) in zip(
                self._placed([t for t, _ in normalized]), normalized, strict=True
            ):
                if not (self._knows_comma and self._recut.keys().isdisjoint(ids)):
                    ids, pieces, offsets = self._with_commas_cut(ids, pieces, offsets)
                if spans is not None:
                    offsets = [_original(offset, spans) for offset in offsets]
                begins = [piece[0] == UNDERLINE for piece in pieces]
                begins[:1] = [False] * bool(begins)
                yield TokenizedText(ids, pieces, offsets, list(itertools.accumulate(begins, initial=0))[1:])

    def _placed(self, texts: list[str]) -> Iterator[tuple[list[int], list[str], list[Offsets]]]:
        """Ids, pieces, and the span of the normalized text that each piece covers."""
        if self.random:
            rows = self._cut(texts, out_type="offset_mapping", **self.sampling)
            yield from ((row["ids"], row["pieces"], row["offsets"]) for row in rows)
            return
        for text, ids in zip(texts, self._cut(texts, out_type=int), strict=True):
            pieces = [self._pieces[index] for index in ids]
            # Pieces that spell the text cover it in turn; SentencePiece's own, slower, account serves all other texts.
            if "".join(pieces) == UNDERLINE + text.replace(" ", UNDERLINE):
                edges = list(itertools.accumulate(map(len, pieces), initial=-1))
                edges[0] = 0
                yield ids, pieces, list(itertools.pairwise(edges))
            else:
                row = self._cut(text, out_type="offset_mapping")
                yield row["ids"], row["pieces"], row["offsets"]

    def _with_commas_cut(
        self, ids: list[int], pieces: list[str], offsets: list[Offsets]
    ) -> tuple[list[int], list[str], list[Offsets]]:
        rows: list[tuple[int, str, Offsets]] = []
        for index, piece, (start, end) in zip(ids, pieces, offsets, strict=True):
            if not ends_in_digit_comma(piece):
                rows.append((index, piece, (start, end)))
                continue
            cuts = self._recut[index] if index in self._recut else self._without_comma(piece)
            for number, (new, text) in enumerate(cuts):
                stop = max(end - sum(len(later) for _, later in cuts[number + 1 :]), start)
                rows.append((new, text, (start, stop)))
                start = stop
        return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]

    def _without_comma(self, piece: str) -> list[tuple[int, str]]:
        """The pieces that a piece ending in digit and comma is cut into, each with its id."""
        pieces = self._cut(piece[:-1].replace(UNDERLINE, ""), out_type=str)
        if pieces and not piece.startswith(UNDERLINE) and pieces[0].startswith(UNDERLINE):
            pieces = [pieces[0][1:], *pieces[1:]] if len(pieces[0]) > 1 else pieces[1:]
        return [(self._processor.piece_to_id(piece), piece) for piece in [*pieces, ","]]

    def _gather(self, text: str, parts: list[TextSpan], runs: Iterator[TokenizedText], align: bool) -> TokenizedText:
        """Put the tokens of a text's parts together again. Every part begins a new word."""
        if len(parts) == 1 and parts[0].token_id is None:
            return next(runs)
        ids, pieces, offsets, words = [], [], [], []
        for part in parts:
            if part.token_id is None:
                run = next(runs)
                start, word = part.start, words[-1] + 1 if words else 0
                ids += run.ids
                pieces += run.pieces or []
                offsets += [(start + a, start + b) for a, b in run.offsets or []]
                words += [word + w for w in run.word_ids or [] if w is not None]
            else:
                ids.append(part.token_id)
                pieces.append(self.added.by_id[part.token_id].content)
                offsets.append((part.start, part.end))
                words.append(words[-1] + 1 if words else 0)
        return TokenizedText(ids, pieces, offsets, words) if align else TokenizedText(ids)


def concatenate(rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ids one behind another (T,) int32, and their lengths (S,) int64."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    return np.fromiter(itertools.chain.from_iterable(rows), np.int32, int(lengths.sum())), lengths


def ends_in_digit_comma(piece: str) -> bool:
    """Whether the digit-comma rule cuts a piece."""
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()


def _original(offset: Offsets, spans: list[Offsets]) -> Offsets:
    """A span of the normalized text as a span of the original."""
    start, end = offset
    if start < end:
        return spans[start][0], spans[end - 1][1]
    place = spans[start][0] if start < len(spans) else spans[-1][1] if spans else 0
    return place, place


class TokenizersSegmenter:
    """A tokenizer of the tokenizers library, taken as it is."""

    fair = False
    random = False
    threads = -1

    def __init__(self, backend: tokenizers.Tokenizer, source: str = TOKENIZER) -> None:
        """`source` names the file that the tokenizer was made from, for errors."""
        self.backend = backend
        self.source = source
        self._literal: tokenizers.Tokenizer | None = None
        self._normalized = 0
        self.added = AddedVocabulary(do_lower_case=False)
        with guarded(source):
            backend.no_truncation()
            backend.no_padding()
            self.vocab_size = backend.get_vocab_size(with_added_tokens=False)
            for index, token in backend.get_added_tokens_decoder().items():
                self.added.add(token, index)

    def add_token(self, token: AddedToken, index: int) -> None:
        """Take in an added token. CheckpointError where the library gives it another id, or too long a normal form."""
        with guarded(self.source):
            if token.normalized:
                normalizer, content = self.backend.normalizer, [token.content]
                self._normalized = require_normalized(self.source, normalizer, content, self._normalized)
            add_token_to(self.backend, token, index, self.source)
        self.added.add(token, index)
        self._literal = None

    def id_to_token(self, index: int) -> str | None:
        """The vocabulary's entry at `index`."""
        return self.backend.id_to_token(index) if index >= 0 else None

    def token_to_id(self, piece: str) -> int | None:
        """Where the vocabulary holds `piece`."""
        return self.backend.token_to_id(piece)

    def decode_pieces(self, pieces: Sequence[str]) -> str:
        """The text that pieces stand for."""
        decoder = self.backend.decoder
        if decoder is None:
            return " ".join(pieces)
        with guarded(self.source):
            return decoder.decode(list(pieces))

    def encode(self, texts: Sequence[str], align: bool, split_special_tokens: bool) -> list[TokenizedText]:
        """Tokens of each text. See Segmenter."""
        texts = [text if text.isascii() else SURROGATE.sub("\ufffd", text) for text in texts]
        with guarded(self.source):
            backend = self._without_special() if split_special_tokens else self.backend
            if not align:
                return [TokenizedText(row.ids) for row in backend.encode_batch_fast(texts, add_special_tokens=False)]
            rows = backend.encode_batch(texts, add_special_tokens=False)
        return [TokenizedText(row.ids, row.tokens, row.offsets, row.word_ids) for row in rows]

    def encode_flat(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of texts as text only. See Segmenter."""
        return concatenate([tokens.ids for tokens in self.encode(texts, align=False, split_special_tokens=True)])

    def _without_special(self) -> tokenizers.Tokenizer:
        """A second tokenizer, which takes special tokens for text: several threads may use both at once."""
        if self._literal is None:
            literal = tokenizers.Tokenizer.from_str(self.backend.to_str())
            literal.encode_special_tokens = True
            self._literal = literal
        return self._literal


def add_token_to(backend: tokenizers.Tokenizer, token: AddedToken, index: int, source: str = TOKENIZER) -> None:
    """Add a token to an object of the tokenizers library. CheckpointError where that gives it another id."""
    (backend.add_special_tokens if token.special else backend.add_tokens)([token])
    given = backend.token_to_id(token.content)
    if given != index:
        raise CheckpointError(
            f"Added tokens must have consecutive ids behind the vocabulary. Received: {token.content!r} with id "
            f"{index}, where {source} has {given}."
        )
