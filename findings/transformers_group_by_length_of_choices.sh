#!/usr/bin/env bash
# Transformers 4.57.6: group_by_length=True sorts multiple-choice rows by nothing. The Trainer takes the length of a row from
# len(input_ids), which for rows of choices is how many choices there are: all are alike, batches stay random, and nothing is
# said. What works: a column of real lengths by the name of length_column_name ("length"). Seen on 2026-11-29, Python 3.11.
# Matters to: whoever trains AlbertForMultipleChoice or the like with the Trainer, and whoever measures against it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check transformers==4.57.6 accelerate==1.15.0 datasets==4.8.5
cd "$folder"
cat > program.py <<'PY'
import random

import torch
from datasets import Dataset
from transformers import AlbertConfig, AlbertForMultipleChoice, Trainer, TrainingArguments

SIZES = {"vocab_size": 50, "embedding_size": 8, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
random.seed(0)
LENGTHS = [random.randint(5, 100) for _ in range(800)]
ROWS = {"input_ids": [[[7] * length] * 3 for length in LENGTHS], "labels": [0] * len(LENGTHS)}


def padding(data):
    """The share of places that is padding, in batches of 8 as the Trainer draws them."""
    torch.manual_seed(0)
    options = TrainingArguments("out", per_device_train_batch_size=8, group_by_length=True, report_to=[], use_cpu=True)
    trainer = Trainer(AlbertForMultipleChoice(AlbertConfig(**SIZES, num_hidden_layers=1)), options, train_dataset=data)
    order = list(trainer._get_train_sampler(data))
    batches = [[LENGTHS[row] for row in order[start : start + 8]] for start in range(0, len(order), 8)]
    places = sum(max(batch) * len(batch) for batch in batches)
    return 1 - sum(LENGTHS) / places


found = {
    "as it is": padding(Dataset.from_dict(ROWS)),
    "with a column of lengths": padding(Dataset.from_dict({**ROWS, "length": LENGTHS})),
}
for name, share in found.items():
    print(f"{name}: {share:.1%} of the places are padding")
assert found["as it is"] > 0.35
assert found["with a column of lengths"] < 0.1
PY
"$folder/venv/bin/python" program.py
