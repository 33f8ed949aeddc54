#!/usr/bin/env bash
# SentencePiece 0.2.3 with a seed: a text that is sampled in a list is cut the same way in every call, for ever. Lists are encoded by
# threads that are new in each call, and each new thread begins again at the seed of `set_random_generator_seed`. A text by itself is
# cut in another way each time, as it should be, and so is one in a list as long as no seed is set.
# Seen on 2026-11-30, Python 3.11: of 50 calls, 40 ways to cut a text by itself, 1 in a list, with nbest_size -1 and 64 alike.
# Not found among its issues (609 and 635 are about the seed of texts by themselves).
# Matters to: whoever trains with subword regularization, encodes in batches, and sets a seed so that runs can be repeated: each epoch
# sees the same pieces. Give `encode` each text by itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check sentencepiece==0.2.3
cd "$folder"
cat > program.py <<'PY'
import sentencepiece

words = ("the", "film", "is", "a", "quiet", "wonder", "that", "nobody", "will", "forget")
with open("texts.txt", "w") as file:
    file.writelines(f"{a} {b} {c}\n" for a in words for b in words for c in words)
sentencepiece.SentencePieceTrainer.train(input="texts.txt", model_prefix="m", vocab_size=32, minloglevel=2)
processor = sentencepiece.SentencePieceProcessor(model_file="m.model")
text = " ".join(words)


def ways(given, nbest_size):
    """How many different answers 50 calls give."""
    options = {"out_type": int, "enable_sampling": True, "alpha": 0.1, "nbest_size": nbest_size}
    return len({str(processor.encode(given, **options)) for _ in range(50)})


for seed in (None, 7):
    if seed is not None:
        sentencepiece.set_random_generator_seed(seed)
    for nbest_size in (-1, 64):
        alone, listed = ways(text, nbest_size), ways([text], nbest_size)
        print(f"seed {seed}, nbest_size {nbest_size}: {alone} ways to cut a text by itself, {listed} in a list")
        assert alone > 10, "a text by itself is hardly sampled"
        assert (listed == 1) == (seed is not None), "lists are sampled otherwise now"
PY
"$folder/venv/bin/python" program.py
