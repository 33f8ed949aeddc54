#!/usr/bin/env bash
# JAX 0.10.2: cost_analysis, of what is lowered and of what is compiled, counts the body of jax.lax.scan and fori_loop once, however
# often it runs: 2, 12 and 24 runs of one layer have the same "flops", forward and backward. The same layers in a loop of Python, or
# with unroll=length, are counted rightly; with unroll=4 four runs are counted of 12 and of 24. Nothing says that it is a part.
# Seen on 2026-12-01, Python 3.11, on a processor: 65,538 for any scan, where 12 runs of the layer are 786,432.
# Known for scans of Flax that compute again (JAX's issue 18672, open).
# Matters to: whoever works out the use of an accelerator (MFU) of a model whose layers are a scan; ALBERT, one layer that runs 12 times,
# is written so by nature. Count one layer and multiply, or lower the model once more with unroll=length.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check jax==0.10.2 numpy==2.4.6
cd "$folder"
cat > program.py <<'PY'
import jax
import jax.numpy as jnp

ROWS, WEIGHTS = jnp.ones((8, 64)), jnp.full((64, 64), 0.01)
LAYER = 2 * 8 * 64 * 64


def layer(rows, weights):
    return jnp.tanh(rows @ weights)


def python_loop(weights, times):
    rows = ROWS
    for _ in range(times):
        rows = layer(rows, weights)
    return rows.sum()


def scan(weights, times, unroll=1):
    return jax.lax.scan(lambda rows, _: (layer(rows, weights), None), ROWS, None, length=times, unroll=unroll)[0].sum()


def fori_loop(weights, times):
    return jax.lax.fori_loop(0, times, lambda _, rows: layer(rows, weights), ROWS).sum()


def unrolled(weights, times):
    return scan(weights, times, unroll=times)


def in_fours(weights, times):
    return scan(weights, times, unroll=4)


def layers(function, times):
    """Layers that are counted, by the lowered program, the compiled one and that of the gradient (three times the products)."""
    forward = jax.jit(lambda weights: function(weights, times)).lower(WEIGHTS)
    backward = jax.jit(jax.grad(lambda weights: function(weights, times))).lower(WEIGHTS)
    found = forward.cost_analysis(), forward.compile().cost_analysis(), backward.compile().cost_analysis()
    return [round(one["flops"] / LAYER, 1) for one in found]


exact = python_loop(WEIGHTS, 12)
for function in (python_loop, unrolled, scan, fori_loop, in_fours):
    assert jnp.allclose(function(WEIGHTS, 12), exact), "it is not the same function"
    counted = {times: layers(function, times) for times in (4, 12, 24)}
    print(f"{function.__name__}: {counted}")
    for times, (lowered, compiled, gradient) in counted.items():
        whole = function in (python_loop, unrolled)
        right = times if whole or times == 4 and function is in_fours else 4 if function is in_fours else 1
        assert abs(lowered - right) < 0.5 and abs(compiled - right) < 0.5, "it is counted otherwise now"
        assert (gradient > 2.5 * times) == (right == times), "the gradient is counted otherwise now"
PY
JAX_PLATFORMS=cpu "$folder/venv/bin/python" program.py 2> errors.txt || { tail -5 errors.txt; exit 1; }
