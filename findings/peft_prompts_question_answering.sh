#!/usr/bin/env bash
# PEFT 0.21.2: prompt tuning and P-tuning for question answering (task_type="QUESTION_ANS") put their virtual tokens before the text, but
# leave start_positions and end_positions as they are. The loss looks for the answer that many places too early: among the virtual
# tokens, or in another part of the text. Nothing is said, and the loss falls. For token classification the same is an error.
# What works: start_positions and end_positions moved by num_virtual_tokens, and the virtual tokens cut off the logits; or LoRA.
# ALBERT needs token_dim=embedding_size too; without it that is an error.
# Seen on 2026-12-01, Python 3.11, Transformers 5.24.0, torch 2.13.0, with ALBERT and BERT: an answer at 3 to 4 of 12 tokens behind 5
# virtual ones is learned as 3 to 4 of 17, so as two virtual tokens; given as 8 to 9 it is learned as 8 to 9.
# Not found among its issues (482 asks how to cut virtual tokens off the logits of a sequence-to-sequence model).
# Matters to: whoever compares ways of adapting an encoder on SQuAD, and would find these two far too bad.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check peft==0.21.2 transformers==5.24.0
cd "$folder"
cat > program.py <<'PY'
import torch
import transformers
from peft import LoraConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "num_hidden_layers": 2}
IDS, START, END, VIRTUAL = torch.arange(10, 22)[None], 3, 4, 5


def adapted(kind, config, head="QuestionAnswering", **options):
    torch.manual_seed(0)
    sizes = SIZES | ({"embedding_size": 8} if kind == "Albert" else {})
    base = getattr(transformers, f"{kind}For{head}")(getattr(transformers, f"{kind}Config")(**sizes))
    return get_peft_model(base, config(**{"task_type": "QUESTION_ANS"} | options)).eval()


def call(model, start, end):
    places = {"start_positions": torch.tensor([start]), "end_positions": torch.tensor([end])}
    return model(input_ids=IDS, attention_mask=torch.ones_like(IDS), **places)


def by_hand(out, start, end):
    """The loss of an answer at these places of the logits."""
    cross_entropy = torch.nn.functional.cross_entropy
    return (cross_entropy(out.start_logits, torch.tensor([start])) + cross_entropy(out.end_logits, torch.tensor([end]))) / 2


def learned(model, shift):
    """Where the best start and end are after training on the one row."""
    optimizer = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], 1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        call(model, START + shift, END + shift).loss.backward()
        optimizer.step()
    out = call(model, START, END)
    return int(out.start_logits.argmax()), int(out.end_logits.argmax())


for kind in ("Albert", "Bert"):
    out = call(adapted(kind, LoraConfig, target_modules=["query"]), START, END)
    assert out.start_logits.shape == IDS.shape and torch.isclose(out.loss, by_hand(out, START, END)), "not even LoRA is right"
    for config in (PromptTuningConfig, PromptEncoderConfig):
        options = {"num_virtual_tokens": VIRTUAL, "token_dim": 8 if kind == "Albert" else 16}
        out = call(adapted(kind, config, **options), START, END)
        plain, moved = (learned(adapted(kind, config, **options), shift) for shift in (0, VIRTUAL))
        print(f"{kind}, {config.__name__}: learned {plain} of {out.start_logits.shape[1]} places, {moved} with moved positions")
        assert out.start_logits.shape[1] == IDS.shape[1] + VIRTUAL, "virtual tokens are cut off now"
        assert torch.isclose(out.loss, by_hand(out, START, END)), "the loss looks elsewhere now"
        assert not torch.isclose(out.loss, by_hand(out, START + VIRTUAL, END + VIRTUAL)), "the two cannot be told apart"
        assert plain == (START, END) and moved == (START + VIRTUAL, END + VIRTUAL), "it learns something else now"
        tags = adapted(kind, config, "TokenClassification", **options | {"task_type": "TOKEN_CLS"})
        try:
            tags(input_ids=IDS, attention_mask=torch.ones_like(IDS), labels=torch.zeros_like(IDS))
        except ValueError as error:
            assert "batch_size" in str(error), "it is another error now"
        else:
            raise AssertionError("token classification is no error now")
try:
    call(adapted("Albert", PromptTuningConfig, num_virtual_tokens=VIRTUAL), START, END)
except RuntimeError as error:
    print(f"ALBERT without token_dim: {error}")
else:
    raise AssertionError("ALBERT needs no token_dim now")
PY
"$folder/venv/bin/python" program.py 2> errors.txt || { tail -5 errors.txt; exit 1; }
