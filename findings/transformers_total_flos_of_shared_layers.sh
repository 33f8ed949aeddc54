#!/usr/bin/env bash
# Transformers 5.24.0: Trainer's state.total_flos of ALBERT is the same for 1, 12 and 24 layers. It is 6 times the tokens and the
# weights without embeddings (Trainer.floating_point_ops), and ALBERT has the weights of one layer, however often it runs. Of BERT, with
# weights for each layer, it is right within a tenth. trainer_state.json has it without a word of that.
# Seen on 2026-12-01, Python 3.11, torch 2.13.0, 16 texts of 10 tokens: ALBERT 2.7 million for each depth, where torch's own counter
# counts 27.6 million for 12 layers and 54.8 for 24; BERT 25.9 and 51.6 million, where it counts 27.3 and 54.6.
# Not found among its issues. A docstring of 4.57.6 says that models such as ALBERT should have a count of their own.
# Matters to: whoever compares what it costs to train ALBERT and other encoders, or plots a score over FLOPs. Multiply the share of the
# layer, or count once with torch.utils.flop_counter, with attn_implementation="eager" on a processor: of the default it counts no
# attention there (PyTorch's issue 195460).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check transformers==5.24.0 accelerate==1.15.0
cd "$folder"
cat > program.py <<'PY'
import json
from pathlib import Path

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

SIZES = {"vocab_size": 100, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "attn_implementation": "eager"}
ROWS = [{"input_ids": list(range(10)), "attention_mask": [1] * 10, "labels": 0} for _ in range(16)]


def trained(kind, depth):
    """What Trainer writes, and what torch counts, of a training of two steps."""
    sizes = SIZES | ({"embedding_size": 16} if kind == "Albert" else {})
    config = getattr(transformers, f"{kind}Config")(**sizes, num_hidden_layers=depth)
    model = getattr(transformers, f"{kind}ForSequenceClassification")(config)
    options = {"report_to": [], "disable_tqdm": True, "use_cpu": True, "per_device_train_batch_size": 8, "num_train_epochs": 1}
    trainer = transformers.Trainer(model, transformers.TrainingArguments("out", **options), train_dataset=ROWS)
    with FlopCounterMode(display=False) as counter:
        trainer.train()
    trainer.save_state()
    written = json.loads(Path("out/trainer_state.json").read_text())["total_flos"]
    assert written == trainer.state.total_flos
    return written, counter.get_total_flops()


found = {(kind, depth): trained(kind, depth) for kind in ("Albert", "Bert") for depth in (1, 12, 24)}
for (kind, depth), (written, counted) in found.items():
    print(f"{kind}, {depth} layers: total_flos {written:,.0f}, counted {counted:,}")
    assert kind == "Albert" or abs(written / counted - 1) < 0.1, "it is not even right for BERT"
assert len({found["Albert", depth][0] for depth in (1, 12, 24)}) == 1, "it counts how often the layer runs now"
assert found["Albert", 24][1] > 20 * found["Albert", 24][0], "the two agree now"
rows = torch.ones(2, 4, 32, 16)
with FlopCounterMode(display=False) as counter:
    torch.nn.functional.scaled_dot_product_attention(rows, rows, rows)
print(f"attention of the default, counted: {counter.get_total_flops()}")
assert counter.get_total_flops() == 0, "torch counts it on processors now"
PY
"$folder/venv/bin/python" program.py > out.txt 2> errors.txt || { tail -5 errors.txt; exit 1; }
grep -E '^(Albert|Bert|attention)' out.txt
