"""Pseudo-perplexity: how likely a masked language model holds a text, by masking each of its pieces in turn.

Letters: R rows, of which a text has one for each of its pieces; V vocabulary.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import ClassVar, Literal

import numpy as np

from albertkit.arrays import log_probabilities
from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import pieces, texts
from albertkit.tasks.base import Task
from albertkit.tasks.data_options import option
from albertkit.tasks.features import Features, not_finite
from albertkit.tasks.pseudo_perplexity.masked_copies import MaskedCopies
from albertkit.tasks.tables import Table
from albertkit.tasks.texts import TextExamples, TextOptions
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Record


@dataclass(frozen=True)
class ScoreOptions(TextOptions):
    """Which column holds the text, what is masked with a piece, and what becomes of long texts."""

    pll_metric: Literal["original", "within_word_l2r"] = option(
        "original", "original: a piece alone is masked; within_word_l2r: the later pieces of its word, too."
    )
    long: Literal["windows", "truncate"] = option(
        "windows", "Texts that are longer than the model: windows or truncate."
    )
    doc_stride: int = option(0, "Tokens that two windows share; 0: half of them.", ge=0)


class PseudoPerplexity(Task[TextExamples, ScoreOptions]):
    """The pseudo-log-likelihood of texts (Salazar et al. 2020, arXiv 1910.14659), and what follows from it."""

    name = "pseudo-perplexity"
    head = "ForMaskedLM"
    rows_together = 256
    heads = ("ForMaskedLM", "ForPreTraining")
    options = ScoreOptions
    encode_options: ClassVar = {"pll_metric": "pll_metric", "long": "long", "stride": "doc_stride"}

    def examples(self, *inputs: Json) -> tuple[TextExamples, bool]:
        """Texts; a single one where it is a string. InputError for pairs."""
        return texts.given(*inputs)

    def stream(self, source: str | BufferedReader | Table, options: ScoreOptions) -> Iterator[TextExamples]:
        """The texts of a file or of lines, in parts; see `texts.stream`."""
        return texts.stream(source, options)

    def located(self, path: str, options: ScoreOptions) -> ScoreOptions:
        """With the columns of the texts; see `texts.located`."""
        return texts.located(path, options)

    def encode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TextExamples,
        options: ScoreOptions,
        labelled: bool = False,
    ) -> Features:
        """A row for each piece of each text, in which it is masked; rows are made when they are asked for.

        Each piece is asked for in the window that sees most around it. With `long` truncate what is beyond the first
        window is cut and counted. InputError for pairs, and where the tokenizer has no mask.
        """
        if examples.second is not None:
            raise InputError("One text is scored at a time. Received: a pair. Pass its texts one by one, or join them.")
        if tokenizer.mask_token_id is None:
            raise InputError(
                "Scoring needs a tokenizer with a mask token. Received: one without. Pass mask_token to it."
            )
        whole = pieces.of_texts(tokenizer, examples.first)
        copies = MaskedCopies(tokenizer, options.max_length - 2, options.doc_stride, options.pll_metric != "original")
        truncated = 0
        for number, one in enumerate(whole):
            truncated += copies.add(number, one, is_cut=options.long == "truncate")
        return copies.features([one.ids for one in whole], truncated)

    def answer_kinds(self, config: AlbertConfig, **options: Json) -> Record:
        """Those of `decode`."""
        means = dict.fromkeys(("pll", "pll_per_token", "pll_per_word", "pseudo_perplexity"), float)
        return {**means, **dict.fromkeys(("tokens", "words", "windows"), int)}

    def decode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TextExamples,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> list[Record]:
        """For each text {"pll", "pll_per_token", "pll_per_word", "pseudo_perplexity", "tokens", "words", "windows"}.

        `pll` is the sum of the natural logarithms of the probabilities of its pieces, each of which was masked;
        `pseudo_perplexity` is the exponential of its negative mean over them. A text without pieces has a `pll` of 0,
        and None for what would be a mean. InputError where an output is not finite.
        """
        values, owners = np.zeros(len(features)), np.asarray(features.example, np.int64)
        for row, (target, output) in enumerate(zip(features.columns["target"], outputs, strict=True)):
            values[row] = log_probabilities(output["logits"], np.array([target]))[0]
            if not np.isfinite(values[row]):
                raise not_finite(f"a piece of text {owners[row] + 1} of {len(examples)}")
        counted = zip(owners.tolist(), features.columns["word"], features.columns["window"], strict=True)
        seen: list[tuple[set[int], set[int]]] = [(set(), set()) for _ in range(len(examples))]
        for owner, word, window in counted:
            seen[owner][0].add(word)
            seen[owner][1].add(window)
        sums = np.bincount(owners, values, len(examples)).tolist()
        counts = np.bincount(owners, minlength=len(examples)).tolist()
        return [
            _answer(pll, tokens, len(words), len(windows))
            for pll, tokens, (words, windows) in zip(sums, counts, seen, strict=True)
        ]


def _answer(pll: float, tokens: int, words: int, windows: int) -> Record:
    per_token = pll / tokens if tokens else None
    return {
        "pll": pll,
        "pll_per_token": per_token,
        "pll_per_word": pll / words if words else None,
        "pseudo_perplexity": None if per_token is None else math.exp(min(-per_token, 700.0)),
        "tokens": tokens,
        "words": words,
        "windows": windows,
    }
