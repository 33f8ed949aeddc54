#!/usr/bin/env bash
# PEFT 0.21.2: LoRA on the word embeddings of a masked language model of the BERT kind answers differently once it is merged, and
# nothing is said. The decoder of these models is the same tensor: the adapter changes what goes in, the merge changes both ends. PEFT
# warns of that only where a module is called embed_tokens or lm_head (its issue 2018, pull request 2025), as in Llama, and so says
# nothing of ALBERT, BERT and RoBERTa; ensure_weight_tying=True answers there that no tied module is among the targets, and ties none.
# What works: keep the adapter beside the model, or target other modules.
# Seen on 2026-11-30, Python 3.11, Transformers 5.24.0, torch 2.13.0.
# Matters to: whoever adapts an encoder to a field or a language by LoRA on its embeddings and saves the merged model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check peft==0.21.2 transformers==5.24.0
cd "$folder"
cat > program.py <<'PY'
import warnings

import torch
import transformers
from peft import LoraConfig, get_peft_model

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "num_hidden_layers": 2}
IDS = torch.arange(10)[None]


def scores(model):
    with torch.no_grad():
        return model.eval()(input_ids=IDS).logits


def merge(kind, target, **options):
    """How far the answers of the merged model are from the adapted one's, and what PEFT said of ties."""
    torch.manual_seed(0)
    name, head = (kind, "ForCausalLM") if kind == "Llama" else (kind, "ForMaskedLM")
    config = getattr(transformers, f"{name}Config")(**SIZES, tie_word_embeddings=True, initializer_range=0.1)
    model = getattr(transformers, name + head)(config)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        adapted = get_peft_model(model, LoraConfig(r=2, target_modules=[target], **options))
        with torch.no_grad():
            for weight in adapted.parameters():
                if weight.requires_grad:
                    weight.normal_(0, 0.2)
        before = scores(adapted)
        after = scores(adapted.merge_and_unload())
    told = {str(one.message) for one in caught if "tied" in str(one.message)}
    return float((after - before).abs().max() / before.abs().max()), told


for kind in ("Albert", "Bert", "Roberta"):
    other, _ = merge(kind, "query")
    far, told = merge(kind, "word_embeddings")
    tied, answer = merge(kind, "word_embeddings", ensure_weight_tying=True)
    print(f"{kind}: merged, answers differ by {far:.0%} of the largest ({other:.0e} for query), and {len(told)} warnings")
    print(f"    ensure_weight_tying: {tied:.0%}, {answer}")
    assert other < 1e-4, "merging does not work at all"
    assert far > 0.1 and not told, "it is merged rightly or warned of now"
    assert tied > 0.1 and any("no tied modules" in one for one in answer), "ensure_weight_tying works now"
_, told = merge("Llama", "embed_tokens")
print(f"Llama: {len(told)} warnings")
assert told, "models with embed_tokens are not warned of either"
PY
"$folder/venv/bin/python" program.py 2> errors.txt || { tail -5 errors.txt; exit 1; }
