#!/usr/bin/env bash
# PEFT 0.21.2 with task_type="QUESTION_ANS" does not hand token_type_ids to the model: an adapter is trained and answers as if
# question and context were one text, without a word, and answers differently once it is merged. Other task types hand them on.
# What works: no task_type, and modules_to_save=["qa_outputs"]. Seen on 2026-11-29, Python 3.11, with Transformers 4.57.6.
# Matters to: whoever fine-tunes BERT, ALBERT or another model with token types on questions with PEFT.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check peft==0.21.2 transformers==4.57.6
cd "$folder"
cat > program.py <<'PY'
import torch
from peft import LoraConfig, get_peft_model
from transformers import AlbertConfig, AlbertForQuestionAnswering

SIZES = {"vocab_size": 50, "embedding_size": 8, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
BATCH = {"input_ids": torch.arange(12)[None], "token_type_ids": torch.tensor([[0] * 5 + [1] * 7])}
WAYS = {"QUESTION_ANS": {"task_type": "QUESTION_ANS"}, "no task type": {"modules_to_save": ["qa_outputs"]}}


def scores(model):
    with torch.no_grad():
        return model.eval()(**BATCH).start_logits


same = {}
for name, options in WAYS.items():
    torch.manual_seed(0)
    model = AlbertForQuestionAnswering(AlbertConfig(**SIZES, num_hidden_layers=2, initializer_range=0.5))
    before = scores(model)
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["query"], **options))  # a new adapter adds nothing
    same[name] = torch.allclose(scores(adapted), before, atol=1e-5)
    print(f"{name}: the new adapter changes nothing: {same[name]}")
assert same == {"QUESTION_ANS": False, "no task type": True}
PY
"$folder/venv/bin/python" program.py
