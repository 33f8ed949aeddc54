#!/usr/bin/env bash
# torchmetrics 1.9.0: SQuAD scores an answer without words ("a", "the", "...") against another such as F1 100, which is the rule of
# SQuAD 2.0. The rule of SQuAD 1.1, whose metric it names, gives 0, as the two share no word, while both count it as an exact match.
# So F1 of torchmetrics may lie above that of the official script of 1.1. Seen on 2026-11-29, Python 3.11.
# Matters to: whoever compares F1 on SQuAD 1.1 between tools; datasets with articles, symbols or emoji as answers show it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torchmetrics==1.9.0
cd "$folder"
cat > program.py <<'PY'
from collections import Counter

from torchmetrics.text import SQuAD


def f1_of_squad_1(answer, true):
    """The harmonic mean of precision and recall of shared words; 0 where there are none. Both are normalised already."""
    words, known = answer.split(), true.split()
    shared = sum((Counter(words) & Counter(known)).values())
    return 200 * shared / (len(words) + len(known)) if shared else 0.0


def by_torchmetrics(answer, true):
    found = SQuAD()(
        [{"id": "1", "prediction_text": answer}],
        [{"id": "1", "answers": {"text": [true], "answer_start": [0]}}],
    )
    return {name: float(value) for name, value in found.items()}


words = by_torchmetrics("red house", "red")
nothing = by_torchmetrics("the", "a")
print(f"'red house' for 'red': {words}, by the definition of 1.1: {f1_of_squad_1('red house', 'red'):.2f}")
print(f"'the' for 'a', both nothing without articles: {nothing}, by the definition of 1.1: {f1_of_squad_1('', ''):.2f}")
assert abs(words["f1"] - f1_of_squad_1("red house", "red")) < 1e-3
assert nothing == {"exact_match": 100.0, "f1": 100.0}
assert f1_of_squad_1("", "") == 0.0
PY
"$folder/venv/bin/python" program.py
