"""Corpora for tests: every token is another one, so that ids tell where they came from."""

from dataclasses import dataclass

import numpy as np

from albertkit.masking.vocabulary import MaskingVocabulary

SPECIAL = 5
"""Ids below are special: <pad> 0, <unk> 1, [CLS] 2, [SEP] 3, [MASK] 4. Token t of a corpus has id t + 5."""


@dataclass
class Shard:
    tokens: np.ndarray
    sentences: np.ndarray
    documents: np.ndarray


@dataclass
class Corpus:
    shards: list
    tokens: int


def corpus(*shards):
    """A corpus of shards, each a list of documents, each a list of sentence lengths."""
    made, total = [], 0
    for documents in shards:
        lengths = [length for document in documents for length in document]
        sentences = np.cumsum([0, *lengths])
        tokens = np.arange(total, total + sentences[-1], dtype=np.uint32) + SPECIAL
        made.append(Shard(tokens, sentences, np.cumsum([0, *map(len, documents)])))
        total += int(sentences[-1])
    return Corpus(made, total)


def vocabulary(tokens, starts=None):
    """The vocabulary of a corpus of so many tokens; each a word where `starts` (tokens,) does not say it."""
    special = np.arange(SPECIAL + tokens) < SPECIAL
    words = np.ones(SPECIAL + tokens, bool)
    if starts is not None:
        words[SPECIAL:] = starts
    return MaskingVocabulary(cls_id=2, sep_id=3, mask_id=4, pad_id=0, is_word_start=words, is_special=special)


def bounds(made):
    """Where each token of a corpus belongs: (tokens,) numbers of documents, and of sentences."""
    sentences = np.concatenate([np.diff(shard.sentences) for shard in made.shards])
    documents = np.concatenate([np.diff(shard.documents) for shard in made.shards])
    sentence = np.repeat(np.arange(len(sentences)), sentences)
    return np.repeat(np.arange(len(documents)), documents)[sentence], sentence


def near(count, of, share, deviations=4.5):
    """Whether a count fits a binomial distribution; by chance it does not once in 150,000 times."""
    return abs(count - of * share) <= deviations * (of * share * (1 - share)) ** 0.5


def fits(counts, shares):
    """Whether counts fit a distribution: the chi-square statistic within 4.5 deviations of its mean."""
    counts, shares = np.asarray(counts, float), np.asarray(shares, float)
    expected = counts.sum() * shares / shares.sum()
    statistic = ((counts - expected) ** 2 / expected).sum()
    freedom = len(counts) - 1
    return statistic <= freedom + 4.5 * (2 * freedom) ** 0.5
