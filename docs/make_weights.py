"""Write docs/weights.md from the weight table. Run from the root of the project: python docs/make_weights.py."""

from pathlib import Path

from albertkit import weight_table

HEAD = """# Weights

Written by `docs/make_weights.py` from the table in `albertkit.weight_table`; do not edit.

`{g}` is the group and `{j}` the inner layer. V vocabulary, P positions, T token types, E embedding size, H hidden size,
F feed-forward size, C classes (1 for multiple choice). `predictions.decoder.weight` is the word embeddings under a
second name unless `tie_word_embeddings` is false, and `predictions.decoder.bias` is always `predictions.bias`; tied
tensors are stored once. A bare `AlbertModel` is stored without the prefix `albert.`.

| name | kind | shape | in |
|---|---|---|---|
"""


def text() -> str:
    """The page."""
    rows = []
    for row in weight_table.TABLE:
        holders = [
            f"Albert{model}" for model, parts in weight_table.PARTS.items() if weight_table.part(row.name) in parts
        ]
        where = "all" if len(holders) == len(weight_table.PARTS) else ", ".join(holders)
        rows.append(f"| `{row.name}` | {row.kind} | {row.shape.replace(' ', ' x ')} | {where} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    Path(__file__).with_name("weights.md").write_text(text(), encoding="utf-8")
