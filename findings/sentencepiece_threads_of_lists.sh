#!/usr/bin/env bash
# SentencePiece 0.2.3 starts a thread for every list of texts that its Python wrapper encodes, even for a list of one text and
# with num_threads=1: a short text costs about ten times as much processor time in a list as by itself.
# Seen on 2026-11-30, Python 3.11, x86-64: 3 microseconds by itself, 39 in a list, with one thread and with the default alike.
# Matters to: servers, whose requests hold one short text each. Give `encode` the text itself where there are few.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check sentencepiece==0.2.3
cd "$folder"
cat > program.py <<'PY'
import time

import sentencepiece

words = ("the", "film", "is", "a", "quiet", "wonder", "that", "nobody", "will", "forget")
with open("texts.txt", "w") as file:
    file.writelines(f"{a} {b} {c}\n" for a in words for b in words for c in words)
sentencepiece.SentencePieceTrainer.train(input="texts.txt", model_prefix="m", vocab_size=30, minloglevel=2)
processor = sentencepiece.SentencePieceProcessor(model_file="m.model")


def microseconds(call):
    call()
    begin = time.process_time()
    for _ in range(2000):
        call()
    return (time.process_time() - begin) / 2000 * 1e6


text = "the film is a quiet wonder"
alone = min(microseconds(lambda: processor.encode(text, out_type=int)) for _ in range(3))
listed = min(microseconds(lambda: processor.encode([text], out_type=int, num_threads=1)) for _ in range(3))
assert processor.encode([text], out_type=int) == [processor.encode(text, out_type=int)]
print(f"alone {alone:.0f}, in a list {listed:.0f} microseconds: {'threads' if listed > 4 * alone else 'none'}")
PY
found=$(venv/bin/python program.py)
echo "$found"
[[ $found == *": threads" ]]
