"""Compiling and running ALBERT in JAX against Transformers' Flax: base width, 12 and 24 layers.

Run in the environment of requirements/oracle-flax.txt: python benchmarks/jax_compile.py
"""

import argparse
import logging
import statistics

import jax
import jax.numpy as jnp
import numpy as np
import transformers

import common
from albertkit.config import AlbertConfig
from albertkit.flax.models import FlaxAlbertModel

BATCH, LENGTH = 4, 128
DEEP, SHALLOW = 24, 12


def ours(layers: int):
    """Our model of some depth as a function of parameters, ids and mask, and its parameters."""
    model = FlaxAlbertModel(AlbertConfig.base(num_hidden_layers=layers))
    return lambda params, ids, mask: model(ids, mask, params=params, train=False).last_hidden_state, model.params


def peer(layers: int):
    """The same of Transformers."""
    keys = AlbertConfig.base(num_hidden_layers=layers).to_diff_dict()
    model = transformers.FlaxAlbertModel(transformers.AlbertConfig(**keys))
    return lambda params, ids, mask: model(ids, mask, params=params, train=False).last_hidden_state, model.params


def variants(forward):
    """Forward, and the gradient of the mean square of what it gives."""
    return {
        "forward": lambda *arguments: forward(*arguments),
        "gradient": jax.grad(lambda *arguments: jnp.square(forward(*arguments)).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers.logging.set_verbosity_error()
    rng = np.random.default_rng(0)
    inputs = rng.integers(5, 30000, (BATCH, LENGTH)), np.ones((BATCH, LENGTH), np.int64)
    sides = {"ours": ours(DEEP), "peer": peer(DEEP), "shallow": ours(SHALLOW)}

    def compiled(side: str, kind: str):
        """Trace and compile anew: a new function is not in any cache."""
        forward, params = sides[side]
        return jax.jit(variants(forward)[kind]).lower(params, *inputs).compile()

    readings, ratios = {"ours": {}, "peer": {}}, {}
    for kind in ("forward", "gradient"):
        time = common.in_turn(lambda k=kind: compiled("ours", k), lambda k=kind: compiled("peer", k), options.rounds)
        depth = common.in_turn(
            lambda k=kind: compiled("ours", k), lambda k=kind: compiled("shallow", k), options.rounds, warmup=1
        )
        programs = {side: compiled(side, kind) for side in ("ours", "peer")}

        def step(side: str, programs=programs):
            return jax.block_until_ready(programs[side](sides[side][1], *inputs))

        speed = common.in_turn(lambda s=step: s("ours"), lambda s=step: s("peer"), options.rounds, warmup=2)
        ratios |= {
            f"compile {kind}": time["ratio"],
            f"depth {kind}": 1 / depth["ratio"],
            f"step {kind}": speed["ratio"],
        }
        for side in ("ours", "peer"):
            readings[side] |= {
                f"compile {kind}": time[side],
                f"step {kind}": speed[side],
                "readings " + kind: {"compile": time["readings"][side], "step": speed["readings"][side]},
            }
        readings["ours"][f"compile {kind} of {SHALLOW} layers"] = statistics.median(depth["readings"]["peer"])
    ratios |= {
        "depth": max(ratios["depth forward"], ratios["depth gradient"]),
        "step": min(ratios["step forward"], ratios["step gradient"]),
    }
    common.write(
        "jax_compile", ratios, readings["ours"], readings["peer"], ("albertkit", "transformers", "jax", "flax")
    )


if __name__ == "__main__":
    main()
