"""Scores of answers: exact match and F1, as the scripts of SQuAD 1.1, SQuAD 2.0 and CMRC 2018 compute them.

All are of 0 to 100, as there.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from albertkit.tasks.scripts import are_unspaced, is_unspaced

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = frozenset(string.punctuation)
# What the script of CMRC 2018 takes for punctuation, and for Chinese.
_CMRC_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_HAN = re.compile("[\u4e00-\u9fa5]")
_WORD = re.compile(r"\w+|[^\w\s]")


def normalized(text: str) -> str:
    """An English answer in lower case, without punctuation and articles, with single blanks."""
    kept = "".join(character for character in text.lower() if character not in _PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", kept).split())


def words_f1(predicted: str, true: str) -> float:
    """F1 of the words of two answers, of SQuAD 1.1: 0 where one of them has none."""
    one, other = normalized(predicted).split(), normalized(true).split()
    return _f1((Counter(one) & Counter(other)).total(), len(one), len(other))


def words_or_none_f1(predicted: str, true: str) -> float:
    """The same as SQuAD 2.0 has it: where one answer has no words, whether the other has none either."""
    one, other = normalized(predicted).split(), normalized(true).split()
    return words_f1(predicted, true) if one and other else float(one == other)


def exact(predicted: str, true: str) -> float:
    """Whether two answers are equal once they are normalized."""
    return float(normalized(predicted) == normalized(true))


def cmrc_f1(predicted: str, true: str) -> float:
    """F1 of two Chinese answers by their longest common run, of CMRC 2018.

    Of characters, and words of other scripts; the script there cuts these as NLTK does, here they are cut at blanks and
    punctuation.
    """
    one, other = _segmented(predicted), _segmented(true)
    return _f1(_longest_common_run(one, other), len(one), len(other))


def cmrc_exact(predicted: str, true: str) -> float:
    """Whether two Chinese answers are equal without blanks around and punctuation, of CMRC 2018."""
    return float(_without_punctuation(predicted) == _without_punctuation(true))


def characters_f1(predicted: str, true: str) -> float:
    """F1 of the characters of two answers, as JGLUE has it for Japanese."""
    one, other = (normalized(text).replace(" ", "") for text in (predicted, true))
    return _f1((Counter(one) & Counter(other)).total(), len(one), len(other))


def _f1(common: int, predicted: int, true: int) -> float:
    if not common:
        return 0.0
    precision, recall = common / predicted, common / true
    return 2 * precision * recall / (precision + recall)


def _segmented(text: str) -> list[str]:
    """Chinese characters one by one, and what lies between them as words; punctuation is left out and parts nothing."""
    return _WORD.findall(_HAN.sub(r" \g<0> ", _without_punctuation(text)))


def _without_punctuation(text: str) -> str:
    return "".join(character for character in text.lower().strip() if character not in _CMRC_PUNCTUATION)


def _longest_common_run(one: Sequence[str], other: Sequence[str]) -> int:
    longest, before = 0, [0] * (len(other) + 1)
    for item in one:
        here = [0] * (len(other) + 1)
        for place, second in enumerate(other, start=1):
            if item == second:
                here[place] = before[place - 1] + 1
                longest = max(longest, here[place])
        before = here
    return longest


@dataclass(frozen=True)
class Metric:
    """How an answer is compared with a true one; of several true ones the best counts."""

    exact: Callable[[str, str], float]
    f1: Callable[[str, str], float]

    def of(self, predicted: str, true: Sequence[str]) -> tuple[float, float]:
        """Exact match and F1 of an answer."""
        return max(self.exact(predicted, one) for one in true), max(self.f1(predicted, one) for one in true)


SQUAD_1, SQUAD_2 = Metric(exact, words_f1), Metric(exact, words_or_none_f1)
CMRC, CHARACTERS = Metric(cmrc_exact, cmrc_f1), Metric(exact, characters_f1)


def metric_of(contexts: Sequence[str]) -> Metric | None:
    """The metric of the script that most contexts are in: Japanese, Chinese, or None for others."""
    if not are_unspaced(contexts):
        return None
    text = "".join(context[:200] for context in contexts[:200])
    kana, unspaced = (sum(map(of, text)) for of in (_is_kana, is_unspaced))
    return CHARACTERS if 20 * kana > unspaced else CMRC


def _is_kana(character: str) -> bool:
    return "\u3041" <= character <= "\u30ff"


def squad_1(predicted: Sequence[str], true: Sequence[Sequence[str]], metric: Metric = SQUAD_1) -> dict[str, float]:
    """The means over all questions: {"exact_match", "f1"}, and their number."""
    scores = np.array([metric.of(one, answers) for one, answers in zip(predicted, true, strict=True)]).reshape(-1, 2)
    means = 100 * scores.sum(0) / max(len(scores), 1)
    return {"f1": float(means[1]), "exact_match": float(means[0]), "total": len(scores)}


def squad_2(
    predicted: Sequence[str],
    true: Sequence[Sequence[str]],
    null_odds: Sequence[float],
    threshold: float = 1.0,
    metric: Metric = SQUAD_2,
) -> dict[str, float]:
    """The scores of SQuAD 2.0, where some questions have no answer, and the threshold that would be best.

    `predicted` are the best answers, whether or not one is given; none is where `null_odds` are above `threshold`.
    Questions without an answer have no `true` ones. Of thresholds for which the scores are the best the lowest counts.
    """
    answers = [[one for one in each if normalized(one)] or [""] for each in true]
    has_answer = np.array([bool(each) for each in true], bool)
    scores = np.array([metric.of(one, each) for one, each in zip(predicted, answers, strict=True)]).reshape(-1, 2)
    odds = np.asarray(null_odds, np.float64)
    given = np.where((odds > threshold)[:, None], (~has_answer).astype(float)[:, None], scores)
    found = {"f1": given[:, 1], "exact_match": given[:, 0]}
    result = {name: _mean(values) for name, values in found.items()} | {"total": len(scores)}
    for kind, chosen in (("HasAns", has_answer), ("NoAns", ~has_answer)):
        if chosen.any():
            result |= {f"{kind}_{name}": _mean(values[chosen]) for name, values in found.items()}
            result[f"{kind}_total"] = int(chosen.sum())
    for name, column in (("exact_match", 0), ("f1", 1)):
        best, where = best_threshold(scores[:, column], [bool(one) for one in predicted], has_answer, odds)
        result |= {f"best_{name}": best, f"best_{name}_threshold": where}
    return result


def best_threshold(
    scores: np.ndarray, is_given: Sequence[bool], has_answer: np.ndarray, odds: np.ndarray
) -> tuple[float, float]:
    """The best mean score that a threshold on the odds of no answer can give, of 100, and that threshold.

    It begins with no answer at all and takes questions in the order of their odds: one with an answer adds its score,
    one without takes its point away where anything was predicted.
    """
    current = best = float((~has_answer).sum())
    threshold = 0.0
    for number in np.argsort(odds, kind="stable"):
        current += float(scores[number]) if has_answer[number] else -int(is_given[number])
        if current > best:
            best, threshold = current, float(odds[number])
    return 100 * float(best) / max(len(scores), 1), threshold


def _mean(values: np.ndarray) -> float:
    return float(100 * values.sum() / max(len(values), 1))
