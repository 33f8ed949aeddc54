"""SentencePieceSegmenter: text <-> tokens by SentencePiece, with ALBERT's rules before and behind it."""

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sentencepiece
from tokenizers import AddedToken

from albertkit.config_keys import FLAG, Rule, or_none
from albertkit.errors import InputError, OutdatedDependency
from albertkit.tokenization.added_vocabulary import AddedVocabulary, TextSpan
from albertkit.tokenization.bounds import not_spiece
from albertkit.tokenization.encoding import TokenizedText
from albertkit.tokenization.guard import guarded
from albertkit.tokenization.normalizer import AlbertNormalizer, Offsets
from albertkit.tokenization.segmenter import concatenate

UNDERLINE = "▁"
"""What stands for a space in a piece."""

_BATCH = 64
_FEW = 2**11
"""Characters that are cut in less time than it takes to start a thread."""


def _can_sample(settings: object) -> bool:
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


_OLDEST = (0, 2, 2)
"""The first release of SentencePiece that gives offsets in characters."""


@functools.cache
def _require_release() -> None:
    """OutdatedDependency where SentencePiece is older than what is needed."""
    version = sentencepiece.__version__
    if tuple(map(int, re.findall(r"\d+", version)[:3])) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise OutdatedDependency(
            f"Tokenizers need sentencepiece {oldest} or later. Installed is {version}. Run: pip install -U "
            f'"sentencepiece>={oldest}"'
        )


class SentencePieceSegmenter:
    """A SentencePiece model with ALBERT's normalizer before it and ALBERT's digit-comma rule behind it.

    The rule: a piece that ends in a digit and a comma, such as `▁9,`, is cut again without its comma, so that numbers
    read alike wherever they stand (`encode_pieces` in the original release's tokenization.py). See Segmenter.
    """

    fair = True
    threads = -1

    def __init__(
        self, model: bytes, normalizer: AlbertNormalizer, source: str = "spiece.model", **sampling: float | None
    ) -> None:
        """`source` names the file that the model was read from, for errors; `sampling` keeps to SAMPLING."""
        _require_release()
        unknown = sampling.keys() - {"enable_sampling", "nbest_size", "alpha"}
        if unknown:
            raise InputError(
                f"`sp_model_kwargs` may hold enable_sampling, nbest_size and alpha. Received: {', '.join(unknown)}."
            )
        if complaint := SAMPLING.complaint("sp_model_kwargs", sampling):
            raise InputError(complaint)
        self.model = model
        self.source = source
        self.sampling = sampling
        self.random = bool(sampling.get("enable_sampling"))
        self.normalizer = normalizer
        self.added = AddedVocabulary(normalizer.do_lower_case)
        try:
            if not model:
                raise RuntimeError("it is empty")
            self.processor = sentencepiece.SentencePieceProcessor(model_proto=model)
            self.vocab_size = self.processor.get_piece_size()
            self._pieces = self.processor.id_to_piece(list(range(self.vocab_size)))
        except Exception as error:  # RuntimeError for most, UnicodeDecodeError for a piece that is no text, ...
            raise not_spiece(source, model, error) from error
        commas = {index: piece for index, piece in enumerate(self._pieces) if ends_in_digit_comma(piece)}
        self._comma_splits = {index: self._split_comma(piece) for index, piece in commas.items()}
        # Without a comma in the vocabulary, an unknown stretch of text may end in digit and comma too.
        self._knows_comma = self.token_to_id(",") is not None

    def __getstate__(self) -> dict[str, object]:
        own = {"model": self.model, "normalizer": self.normalizer, "source": self.source}
        return own | {"sampling": self.sampling, "added": self.added.by_id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["model"], state["normalizer"], state["source"], **state["sampling"])
        self.add_tokens(state["added"])

    def clean_with(self, normalizer: AlbertNormalizer) -> None:
        """Clean texts with this normalizer from now on."""
        known, self.normalizer = self.added.by_id, normalizer
        self.added = AddedVocabulary(normalizer.do_lower_case)
        self.add_tokens(known)

    def add_tokens(self, tokens: Mapping[int, AddedToken]) -> None:
        """Take in added tokens."""
        for index, token in tokens.items():
            self.added.add(token, index)

    def id_to_token(self, index: int) -> str | None:
        """The model's piece at `index`."""
        return self._pieces[index] if 0 <= index < self.vocab_size else None

    def token_to_id(self, piece: str) -> int | None:
        """Where the model holds `piece`."""
        index = self.processor.piece_to_id(piece)
        return index if self._pieces[index] == piece else None

    def decode_pieces(self, pieces: Sequence[str]) -> str:
        """The text that pieces stand for."""
        with guarded(self.source):
            return self.processor.decode_pieces(list(pieces))

    def encode(self, texts: Sequence[str], align: bool, split_special_tokens: bool) -> list[TokenizedText]:
        """Tokens of each text. See Segmenter."""
        if split_special_tokens:
            spans = [[TextSpan(0, len(text), None)] if text else [] for text in texts]
        else:
            spans = [self.added.split(text) for text in texts]
        plain = [
            text if span.end - span.start == len(text) else text[span.start : span.end]
            for text, cut in zip(texts, spans, strict=True)
            for span in cut
            if span.token_id is None
        ]
        runs = self._encode_aligned(plain) if align else self._encode_ids(plain)
        return [self._join_spans(cut, runs, align) for cut in spans]

    def encode_flat(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of texts as text only. See Segmenter."""
        if not self._knows_comma:
            return concatenate([tokens.ids for tokens in self.encode(texts, align=False, split_special_tokens=True)])
        normalized = [self.normalizer(text) for text in texts]
        ids, lengths = concatenate(self._ids(normalized))
        # The few pieces that end in digit and comma are replaced in the array: a loop over all ids takes far longer.
        ends_in_comma = np.zeros(self.vocab_size, bool)
        ends_in_comma[list(self._comma_splits)] = True
        places = np.flatnonzero(ends_in_comma[ids])
        new = [[index for index, _ in self._comma_splits[old]] for old in ids[places].tolist()]
        counts = np.ones(len(ids), np.int64)
        counts[places] = [len(cuts) for cuts in new]
        np.add.at(lengths, np.repeat(np.arange(len(texts)), lengths)[places], counts[places] - 1)
        ids, starts = np.repeat(ids, counts), np.cumsum(counts) - counts
        for start, cuts in zip(starts[places].tolist(), new, strict=True):
            ids[start : start + len(cuts)] = cuts
        return ids, lengths

    def _ids(self, texts: list[str]) -> list[list[int]]:
        """The ids of each text. Of few characters without the threads that SentencePiece starts for every list.

        Sampled texts are cut by themselves, too: in new threads each call would begin again at the seed of
        `sentencepiece.set_random_generator_seed` and give the same pieces for ever (sentencepiece 0.2.3).
        """
        if self.random or sum(map(len, texts)) <= _FEW:
            return [self._process(text, out_type=int, **self.sampling) for text in texts]
        return self._process(texts, out_type=int, num_threads=self.threads, **self.sampling)

    def _process(self, texts: str | list[str], **options: Any) -> Any:
        """What SentencePiece makes of texts, as `out_type` says. CheckpointError where it fails over them."""
        with guarded(self.source):
            return self.processor.encode(texts, **options)

    def _encode_ids(self, texts: list[str]) -> Iterator[TokenizedText]:
        """The ids of plain texts, which hold no added tokens."""
        if not self._knows_comma:
            yield from (TokenizedText(tokens.ids) for tokens in self._encode_aligned(texts))
            return
        normalized = [self.normalizer(text) for text in texts]
        for ids in self._ids(normalized):
            if not self._comma_splits.keys().isdisjoint(ids):
                ids = [
                    new
                    for index in ids
                    for new in ([n for n, _ in self._comma_splits[index]] if index in self._comma_splits else [index])
                ]
            yield TokenizedText(ids)

    def _encode_aligned(self, texts: list[str]) -> Iterator[TokenizedText]:
        """The ids of plain texts with their pieces, offsets and words; a word begins at a piece with UNDERLINE."""
        for start in range(0, len(texts), _BATCH):  # Spans of single characters are large: a few texts at a time.
            normalized = [self.normalizer.with_offsets(text) for text in texts[start : start + _BATCH]]
            for (ids, pieces, offsets), (_, spans) in zip(
                self._encode_with_offsets([t for t, _ in normalized]), normalized, strict=True
            ):
                if not (self._knows_comma and self._comma_splits.keys().isdisjoint(ids)):
                    ids, pieces, offsets = self._split_commas(ids, pieces, offsets)
                if spans is not None:
                    offsets = [_to_original(offset, spans) for offset in offsets]
                begins = [piece[0] == UNDERLINE for piece in pieces]
                begins[:1] = [False] * bool(begins)
                yield TokenizedText(ids, pieces, offsets, list(itertools.accumulate(begins, initial=0))[1:])

    def _encode_with_offsets(self, texts: list[str]) -> Iterator[tuple[list[int], list[str], list[Offsets]]]:
        """Ids, pieces, and the span of the normalized text that each piece covers."""
        if self.random:
            rows = (self._process(text, out_type="offset_mapping", **self.sampling) for text in texts)
            yield from ((row["ids"], row["pieces"], row["offsets"]) for row in rows)
            return
        for text, ids in zip(texts, self._ids(texts), strict=True):
            pieces = [self._pieces[index] for index in ids]
            # Pieces that spell the text cover it in turn; SentencePiece's own, slower, account serves all other texts.
            if "".join(pieces) == UNDERLINE + text.replace(" ", UNDERLINE):
                edges = list(itertools.accumulate(map(len, pieces), initial=-1))
                edges[0] = 0
                yield ids, pieces, list(itertools.pairwise(edges))
            else:
                row = self._process(text, out_type="offset_mapping")
                yield row["ids"], row["pieces"], row["offsets"]

    def _split_commas(
        self, ids: list[int], pieces: list[str], offsets: list[Offsets]
    ) -> tuple[list[int], list[str], list[Offsets]]:
        """The same ids, pieces and offsets after the digit-comma rule."""
        rows: list[tuple[int, str, Offsets]] = []
        for index, piece, (start, end) in zip(ids, pieces, offsets, strict=True):
            if not ends_in_digit_comma(piece):
                rows.append((index, piece, (start, end)))
                continue
            cuts = self._comma_splits[index] if index in self._comma_splits else self._split_comma(piece)
            for number, (new, text) in enumerate(cuts):
                stop = max(end - sum(len(later) for _, later in cuts[number + 1 :]), start)
                rows.append((new, text, (start, stop)))
                start = stop
        return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]

    def _split_comma(self, piece: str) -> list[tuple[int, str]]:
        """The pieces that a piece ending in digit and comma is cut into, each with its id."""
        pieces = self._process(piece[:-1].replace(UNDERLINE, ""), out_type=str)
        if pieces and not piece.startswith(UNDERLINE) and pieces[0].startswith(UNDERLINE):
            pieces = [pieces[0][1:], *pieces[1:]] if len(pieces[0]) > 1 else pieces[1:]
        return [(self.processor.piece_to_id(piece), piece) for piece in [*pieces, ","]]

    def _join_spans(self, spans: list[TextSpan], runs: Iterator[TokenizedText], align: bool) -> TokenizedText:
        """The tokens of the spans of one text, of plain text from `runs`, put together. Every span begins a word."""
        if len(spans) == 1 and spans[0].token_id is None:
            return next(runs)
        ids, pieces, offsets, words = [], [], [], []
        for span in spans:
            if span.token_id is None:
                run = next(runs)
                start, word = span.start, words[-1] + 1 if words else 0
                ids += run.ids
                pieces += run.pieces or []
                offsets += [(start + a, start + b) for a, b in run.offsets or []]
                words += [word + w for w in run.word_ids or [] if w is not None]
            else:
                ids.append(span.token_id)
                pieces.append(self.added.by_id[span.token_id].content)
                offsets.append((span.start, span.end))
                words.append(words[-1] + 1 if words else 0)
        return TokenizedText(ids, pieces, offsets, words) if align else TokenizedText(ids)


def ends_in_digit_comma(piece: str) -> bool:
    """Whether the digit-comma rule cuts a piece: whether it ends in a digit and a comma."""
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()


def _to_original(offset: Offsets, spans: list[Offsets]) -> Offsets:
    """A span of the normalized text as a span of the original."""
    start, end = offset
    if start < end:
        return spans[start][0], spans[end - 1][1]
    place = spans[start][0] if start < len(spans) else spans[-1][1] if spans else 0
    return place, place
