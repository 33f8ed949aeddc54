"""A step of pre-training in PyTorch against Transformers trained the usual padded way: base size, real text.

Run in the environment of requirements/oracle.txt, on a corpus that `albertkit corpus build` made with the published
English vocabulary: python benchmarks/pretrain_step.py CORPUS

Both sides see the same sequences. Ours lie end to end; the peer gets one a row, padded to the length of a row. Speed is
counted in tokens that are not padding. Peak memory is what a process of its own takes beyond its imports.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
import transformers
from torch.nn import functional

import common
from albertkit import weight_table
from albertkit.batches import PretrainingBatch
from albertkit.checkpoint import init
from albertkit.config import AlbertConfig
from albertkit.corpus.shards import Corpus
from albertkit.pretraining.examples import PretrainingExamples
from albertkit.torch import train

CASES = [(precision, length) for precision in ("fp32", "bf16") for length in (128, 512)]
TOKENS = 1024
"""Places of a step."""
RATE = 1e-5
CONFIG = AlbertConfig.base(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).with_named_results()


def batches(corpus: str, length: int, count: int) -> list[dict[str, np.ndarray]]:
    """Steps of rows that hold several sequences."""
    examples = PretrainingExamples(Corpus.open(corpus), length=length, objective="mlm+sop", seed=0)
    rows = TOKENS // length
    order = examples.order(0)
    return [examples.batch(0, order[step * rows : (step + 1) * rows]) for step in range(count)]


def padded(batch: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """The same sequences, each in a row of its own."""
    labels = np.full(batch.input_ids.size, -100)
    labels[batch.mlm_positions] = batch.mlm_labels
    labels = labels.reshape(batch.input_ids.shape)
    length = batch.input_ids.shape[1]
    rows = [(r, n) for r, row in enumerate(batch.sequence) for n in range(1, int(row.max()) + 1)]
    made = {name: np.zeros((len(rows), length), np.int64) for name in ("input_ids", "token_type_ids", "attention_mask")}
    made["labels"] = np.full((len(rows), length), -100)
    for index, (r, n) in enumerate(rows):
        own = batch.sequence[r] == n
        size = int(own.sum())
        made["input_ids"][index, :size] = batch.input_ids[r, own]
        made["token_type_ids"][index, :size] = batch.token_type_ids[r, own]
        made["attention_mask"][index, :size] = 1
        made["labels"][index, :size] = labels[r, own]
    return {name: torch.from_numpy(a) for name, a in {**made, "sentence_order_label": batch.sop_labels}.items()}


def our_side(precision: str):
    """A function of the number of a step."""
    tensors = init.initialize(weight_table.expected(CONFIG, "ForPreTraining"), CONFIG, 0)
    state = train.init_state(CONFIG, "ForPreTraining", tensors, precision=precision)
    return lambda batch: train.train_step(state, [batch], RATE, 0)


def peer_side(precision: str):
    """The same of Transformers, with PyTorch's AdamW and clipping."""
    model = transformers.AlbertForPreTraining(transformers.AlbertConfig(**CONFIG.to_diff_dict())).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, fused=True)

    def step(batch):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = model(**{**batch, "sentence_order_label": batch["sentence_order_label"].long()}).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    return step


def products(batch: PretrainingBatch) -> float:
    """FLOP of the matrix products of a step of ours: the forward pass, and twice as much backward."""
    c = CONFIG
    _, groups = batch.unpad()
    tokens, masked = batch.tokens, len(batch.mlm_labels)
    asked = masked + len(batch.cls_positions)
    before, behind = 3 * c.hidden_size**2, c.hidden_size**2 + 2 * c.hidden_size * c.intermediate_size  # of attention
    layers = c.num_hidden_layers * tokens * before + ((c.num_hidden_layers - 1) * tokens + asked) * behind
    attention = sum(2 * count * size**2 * c.hidden_size for count, size in groups)
    head = masked * c.embedding_size * (c.hidden_size + c.vocab_size)
    ends = tokens * c.embedding_size * c.hidden_size + len(batch.cls_positions) * c.hidden_size**2
    return 3 * 2 * (layers + c.num_hidden_layers * attention + head + ends)


def rate(precision: str, seconds: float = 3.0) -> float:
    """FLOP/s of this machine in the products of the feed-forward block, forward and backward."""
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    x, w = torch.randn(TOKENS, CONFIG.hidden_size, dtype=kind), torch.randn(3072, CONFIG.hidden_size, dtype=kind)
    y = torch.randn(TOKENS, 3072, dtype=kind)
    best, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        functional.linear(x, w)
        torch.mm(y, w)
        torch.mm(y.t(), x)
        best = max(best, 3 * 2 * TOKENS * CONFIG.hidden_size * 3072 / (time.perf_counter() - start))
    return best


def peak(side: str, corpus: str, precision: str, length: int) -> int:
    """Bytes beyond the imports that a process takes for a few steps of one side."""
    command = [sys.executable, __file__, corpus, "--side", side, "--precision", precision, "--length", str(length)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def alone(side: str, corpus: str, precision: str, length: int) -> None:
    """What `peak` runs."""
    made = batches(corpus, length, 3)
    made = made if side == "ours" else [padded(batch) for batch in made]
    before = highest()
    step = {"ours": our_side, "peer": peer_side}[side](precision)
    for batch in made:
        step(batch)
    print(highest() - before)  # noqa: T201


def highest() -> int:
    """Most bytes that this process has held. The usual call would answer for the process that started it as well."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", choices=("ours", "peer"))
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--length", type=int, default=128)
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    if options.side:
        alone(options.side, options.corpus, options.precision, options.length)
        return
    ratios, readings = {}, {"ours": {}, "peer": {}}
    for precision, length in CASES:
        case = f"{precision} {length}"
        made = batches(options.corpus, length, options.rounds + 1)
        tokens = [batch.tokens for batch in made]
        steps = {"ours": our_side(precision), "peer": peer_side(precision)}
        inputs = {"ours": made, "peer": [padded(batch) for batch in made]}
        speeds, shares = {"ours": [], "peer": []}, []
        for number in range(options.rounds + 1):
            limit = rate(precision, 1.0)
            for side in ("ours", "peer"):
                start = time.perf_counter()
                steps[side](inputs[side][number])
                seconds = time.perf_counter() - start
                if number:
                    speeds[side].append(tokens[number] / seconds)
                    shares += [products(made[number]) / seconds / limit] if side == "ours" else []
        memory = {side: peak(side, options.corpus, precision, length) for side in speeds}
        each = [one / other for one, other in zip(speeds["ours"], speeds["peer"], strict=True)]
        ratios |= {
            f"tokens {case}": float(np.median(each)),
            f"of the matrix rate {case}": float(np.median(shares)),
            f"memory {case}": memory["ours"] / memory["peer"],
        }
        padding = 1 - sum(tokens[1:]) / sum(b["input_ids"].numel() for b in inputs["peer"][1:])
        for side, values in speeds.items():
            readings[side][case] = {"tokens_per_second": values, "peak_bytes": memory[side]}
        readings["ours"][case] |= {"matrix_share": shares, "peer_padding": padding}
        sys.stderr.write(json.dumps({key: value for key, value in ratios.items() if case in key}) + "\n")
    common.write("pretrain_step", ratios, readings["ours"], readings["peer"], ("albertkit", "transformers", "torch"))


if __name__ == "__main__":
    main()
