#!/usr/bin/env bash
# sentence-transformers 6.2.0: `util.dot_score`, and `util.semantic_search` with it, multiply int8 embeddings in int8. Sums wrap at 8 bits
# without an error or a warning: a score of 904,605 reads -99, and what is found is anything. Embeddings of that type are what
# `encode(..., precision="int8")` and `quantize_embeddings` give. `cos_sim`, the default, raises for them, and `pairwise_dot_score`
# adds up products that have wrapped. In float32, with `embeddings.astype("float32")`, the same numbers find the right text.
# Seen on 2026-11-30, Python 3.11, torch 2.13.0, which computes a product of two int8 matrices in int8.
# Not found among its issues; that cos_sim raises is issue 3121, and scores of several vectors a text are widened since 6.0.
# Matters to: whoever keeps embeddings in int8 and searches them without an index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check sentence-transformers==6.2.0 transformers==5.24.0
cd "$folder"
cat > program.py <<'PY'
import numpy as np
from sentence_transformers import quantize_embeddings, util

rng = np.random.default_rng(0)
texts = rng.normal(size=(200, 384)).astype(np.float32)
texts /= np.linalg.norm(texts, axis=1, keepdims=True)
questions = texts[:20] + 0.02 * rng.normal(size=(20, 384)).astype(np.float32)  # each is close to the text of its number
ranges = np.stack([texts.min(0), texts.max(0)])
texts, questions = (quantize_embeddings(one, "int8", ranges=ranges) for one in (texts, questions))


def found(dtype):
    """How many questions find their text, and the score of the first question and its text."""
    given = questions.astype(dtype), texts.astype(dtype)
    best = util.semantic_search(*given, top_k=1, score_function=util.dot_score)
    return sum(hits[0]["corpus_id"] == row for row, hits in enumerate(best)), int(util.dot_score(*given)[0, 0])


exact = int(questions[0].astype(np.int64) @ texts[0].astype(np.int64))
(right8, score8), (right32, score32) = found(np.int8), found(np.float32)
print(f"int8: {right8} of 20 right, score {score8}; float32: {right32} of 20 right, score {score32}; exactly {exact}")
one = (questions[:1].astype(np.int8), texts[:1].astype(np.int8))
added = int(util.pairwise_dot_score(*one)[0])
wrapped = int((one[0] * one[1]).astype(np.int64).sum())
try:
    cosine = str(util.cos_sim(*one))
except RuntimeError as error:
    cosine = f"RuntimeError, {str(error).splitlines()[0]}"
print(f"pairwise_dot_score: {added}, the sum of products that have wrapped {wrapped}; cos_sim: {cosine}")
assert added == wrapped != exact, "pairwise_dot_score is right now"
assert "RuntimeError" in cosine, "cos_sim takes int8 now"
assert (right32, score32) == (20, exact), "it is not right in float32"
assert right8 < 10, "it finds the texts in int8 now"
assert score8 == np.int64(exact).astype(np.int8), "the score no longer wraps"
PY
"$folder/venv/bin/python" program.py 2> errors.txt || { tail -5 errors.txt; exit 1; }
