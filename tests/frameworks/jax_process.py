"""A few steps of training in one of several processes, or on several devices. Run by test_processes.

python jax_process.py OUTPUT.npz
"""

import sys

import jax
import numpy as np

from albertkit.backends import OptimizerSettings
from albertkit.batches import PaddedBatch
from albertkit.flax import devices, train
from frameworks import rows
from frameworks.common import batch, random_tensors, small

HEAD = "ForPreTraining"
STEPS, ROWS = 3, 5
LAMB = OptimizerSettings("lamb")


def main(output: str) -> None:
    """Go the course twice, with weights whole on each device and with large ones spread, as `whole/` and `sharded/`."""
    train.init_processes()
    found = {"whole": course(is_sharded=False), "sharded": course(is_sharded=True)}
    np.savez(output, **{f"{way}/{name}": value for way, each in found.items() for name, value in each.items()})


def course(is_sharded: bool) -> dict[str, np.ndarray]:
    """What a few steps over rows of this process and over shared examples give: records, weights and moments."""
    rank, world_size = train.rank(), train.world_size()
    config = small(num_hidden_groups=2, vocab_size=64)
    state = train.init_state(config, HEAD, random_tensors(config, HEAD), LAMB, is_sharded=is_sharded)
    found = {}
    for step, (whole,) in enumerate(rows.steps(STEPS, ROWS)):
        bounds = [0, 3, ROWS] if world_size == 2 else [0, ROWS]
        own = whole.rows(*bounds[rank : rank + 2])
        # As unlike as can be: the first process has two parts, the second one.
        parts = [own] if rank else [own.rows(0, 1), own.rows(1, len(own.input_ids))]
        record = train.train_step(state, parts, 1e-2, seed=step)
        found |= {f"{step}/{name}": np.float64(value) for name, value in record.items()}
        if step == 0:  # and on from what was taken out and put back
            weights, memory = train.get_weights(state), train.get_optimizer(state)
            empty = {name: np.zeros_like(value) for name, value in weights.items()}
            state = train.init_state(config, HEAD, empty, LAMB, is_sharded=is_sharded)
            train.set_weights(state, weights)
            train.set_optimizer(state, memory)
    found |= fine_tuned(is_sharded)
    (whole,) = next(rows.steps(1, ROWS, seed=9))
    found |= {f"evaluation/{name}": values for name, values in train.eval_step(state, whole).items()}
    spread = [value for value in jax.tree.leaves(state.optimizer_state) if not value.sharding.is_fully_replicated]
    numbers = {"rank": rank, "world_size": world_size, "devices": jax.device_count(), "spread": len(spread)}
    numbers["broadcast"] = train.broadcast(7 + rank)
    return {**found, **numbers, **train.get_weights(state), **train.get_optimizer(state)}


def fine_tuned(is_sharded: bool) -> dict[str, np.ndarray]:
    """What steps over examples give, of which all processes bring the same: records and weights."""
    head = "ForSequenceClassification"
    config = small()
    state = train.init_state(config, head, random_tensors(config, head), is_sharded=is_sharded)
    found = {}
    for step in range(STEPS):
        whole = batch(head, seed=step)
        parts = [
            PaddedBatch(**{name: array[cut] for name, array in whole.items()}) for cut in (slice(1), slice(1, None))
        ]
        record = train.train_step(state, parts, 1e-2, seed=step)
        found |= {f"examples/{step}/{name}": np.float64(value) for name, value in record.items()}
    return found | {f"examples/{name}": value for name, value in train.get_weights(state).items()}


if __name__ == "__main__":
    devices.LARGE = 64
    main(sys.argv[1])
