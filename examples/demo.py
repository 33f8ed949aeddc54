"""An answer of each task that a small model of the package is for, in each of its languages.

Prints what one would type in Python, and the answer. Nothing is downloaded or trained. Run by `make demo`.
"""

import logging
import sys

from albertkit import embedded
from albertkit.pipelines import pipeline

CALLS = {
    ("fill-mask", "en"): ("He went to the [MASK] and came home.",),
    ("token-classification", "en"): ("Mary Walker went to London with John Smith.",),
    ("sentence-embedding", "en"): (["A man plays the guitar.", "Someone makes music.", "The train is late."],),
    ("fill-mask", "ja"): ("彼は[MASK]を開けて中へ入った。",),
    ("token-classification", "ja"): ("夏目漱石は東京帝国大学で学び、松山で教えた。",),
    ("question-answering", "ja"): ("太郎はどこで生まれましたか。", "太郎は京都で生まれ、十歳のとき東京へ移った。"),
    ("multiple-choice", "ja"): ({"question": "雨の日に使うものはどれ？", "choices": ["傘", "机", "本", "皿", "椅子"]},),
    ("sentence-embedding", "ja"): (["男性がギターを弾いています。", "誰かが演奏しています。", "電車が遅れています。"],),
}
"""What is asked, by task and language."""
OPTIONS = {"fill-mask": {"top_k": 3}, "token-classification": {"aggregation_strategy": "simple"}}


def shown(task: str, answer: object) -> str:
    """An answer as a line or a few."""
    if task == "sentence-embedding":
        first, *others = answer  # type: ignore[misc]  # vectors of length 1
        return "cosines of the first with the others: " + ", ".join(f"{first @ one:.2f}" for one in others)
    rows = answer if isinstance(answer, list) else [answer]
    return "\n".join(", ".join(f"{key} {told(value)}" for key, value in row.items()) for row in rows)


def told(value: object) -> str:
    """A value of an answer, numbers short."""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Ask all of it."""
    for (task, language), inputs in CALLS.items():
        name = embedded.default(task, language)
        options = OPTIONS.get(task, {})
        given = ", ".join([*map(repr, inputs), *(f"{key}={value!r}" for key, value in options.items())])
        sys.stdout.write(f"\n>>> pipeline({task!r}, language={language!r})({given})  # {name}\n")
        sys.stdout.write(shown(task, pipeline(task, language=language)(*inputs, **options)) + "\n")


if __name__ == "__main__":
    logging.getLogger("albertkit").setLevel(logging.ERROR)  # which model answers is printed here
    main()
