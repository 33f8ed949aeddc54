"""The picture of the README: how many times as fast albertkit is, from the figures in results/.

Run in the environment of the tests: python benchmarks/draw.py
"""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "albertkit"

from matplotlib import pyplot  # noqa: E402

RESULTS = Path(__file__).parent / "results"
TARGET = Path(__file__).parents[1] / "docs" / "speed.svg"
BARS = (
    ("Answers about sentences, int8", "engine_throughput", "sst2: int8 over peer"),
    ("Answers about sentences, bfloat16", "engine_throughput", "sst2: bf16 over peer"),
    ("Answers about sentences, float32", "engine_throughput", "sst2: fp32 over peer"),
    ("Fine-tuning on SST-2", "finetune_vs_peer", "time sst2"),
    ("Fine-tuning on CoNLL-2003", "finetune_vs_peer", "time conll"),
    ("Fine-tuning on DREAM", "finetune_vs_peer", "time dream"),
    ("Fine-tuning on SQuADShifts", "finetune_vs_peer", "time squadshifts"),
    ("Pre-training, 512 tokens, bfloat16", "pretrain_step", "tokens bf16 512"),
    ("Pre-training, 512 tokens, float32", "pretrain_step", "tokens fp32 512"),
    ("Pre-training, 128 tokens, bfloat16", "pretrain_step", "tokens bf16 128"),
    ("JAX: compiling a training step", "jax_compile", "compile gradient"),
    ("Loading a checkpoint, checked", "loading", "time"),
    ("Tokenizer, against the fast one", "tokenizers", "fast"),
    ("Tokenizer, against the slow one", "tokenizers", "fast against slow"),
    ("TensorFlow: first call of a model", "tensorflow_step", "first call forward plain"),
    ("TensorFlow: training step", "tensorflow_step", "train plain"),
)


def main() -> None:
    values = [json.loads((RESULTS / f"{name}.json").read_text())["ratios"][key] for _, name, key in BARS]
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    bars = axes.barh([label for label, _, _ in BARS], values, color="#1f5a96", height=0.62)
    axes.bar_label(bars, [f"{value:.1f}x" for value in values], padding=4)
    axes.axvline(1, color="#b0413e", linewidth=1)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(
        xlabel="times as fast as Transformers, on two CPU cores; each bar from a machine that results.md names",
        xlim=(0, max(values) * 1.12),
    )
    figure.savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main()
