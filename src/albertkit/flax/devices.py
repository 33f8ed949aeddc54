"""Where values lie when JAX computes on several devices of several processes, and which device gets which rows.

Knows no model: trees of weights, and NumPy batches. Letters: D devices, of this process as long as arrays are NumPy's,
and of all processes from then on.
"""

import functools
import importlib.util
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from albertkit.batches import Batch, PaddedBatch, PretrainingBatch, pretraining_sizes, require_valid, shares
from albertkit.config import AlbertConfig
from albertkit.flax import infer
from albertkit.flax.typing import PyTree

Arrays = dict[str, jax.Array]
LARGE = 2**16
"""Values from which on a matrix is worth spreading over devices."""


@dataclass(frozen=True)
class Layout:
    """Where values lie: batches in equal parts on the devices, weights whole on each or large ones spread over all."""

    mesh: Mesh
    is_sharded: bool

    @classmethod
    def of_all_devices(cls, is_sharded: bool) -> "Layout":
        """A layout over all devices of all processes."""
        return cls(Mesh(np.array(jax.devices()), ("data",)), is_sharded)

    @property
    def everywhere(self) -> NamedSharding:
        """Whole on each device."""
        return NamedSharding(self.mesh, PartitionSpec())

    @property
    def divided(self) -> NamedSharding:
        """(D, ...) with an entry a device."""
        return NamedSharding(self.mesh, PartitionSpec("data"))

    def of(self, value: PyTree) -> NamedSharding:
        """Where a weight lies, or what belongs to it: a large matrix is cut across its longest axis that divides."""
        axes = [axis for axis, size in enumerate(value.shape) if size % self.mesh.size == 0]
        if not self.is_sharded or math.prod(value.shape) < LARGE or not axes:
            return self.everywhere
        longest = max(axes, key=lambda axis: value.shape[axis])
        return NamedSharding(self.mesh, PartitionSpec(*[None] * longest, "data"))

    def put(self, tree: PyTree) -> PyTree:
        """Values that every process has, in their places; those that are there already stay."""

        def placed(value: PyTree) -> PyTree:
            sharding = self.of(value)
            own = value.sharding if isinstance(value, jax.Array) else None
            if isinstance(own, NamedSharding) and own.is_equivalent_to(sharding, value.ndim):
                return value
            host = np.array(value)
            return jax.make_array_from_callback(host.shape, sharding, lambda at: host[at])

        return jax.tree.map(placed, tree)

    def whole(self, tree: PyTree) -> PyTree:
        """Values whole on each device, gathered where they are spread; then all processes must ask."""
        return _gathered(self, tree) if self.is_sharded else tree

    def spread(self, config: AlbertConfig, batches: Sequence[Batch]) -> tuple[list[Arrays], dict[str, np.float32]]:
        """Batches (D, ...) on the devices, and a factor for each loss; all batches are of one kind."""
        padded = [batch for batch in batches if isinstance(batch, PaddedBatch)]
        packed = [batch for batch in batches if isinstance(batch, PretrainingBatch)]
        return self._spread_pretraining(config, packed) if packed else self._dealt(config, padded)

    def _dealt(
        self, config: AlbertConfig, batches: Sequence[PaddedBatch]
    ) -> tuple[list[Arrays], dict[str, np.float32]]:
        """Batches (D, ...) of which every device has some rows, and a factor for the loss.

        A batch whose rows cannot be dealt evenly, so that in each part something counts, every device has whole. Each
        part has its share of the mean over all items of the step.
        """
        total = sum(batch.items()["loss"] for batch in batches)
        parts = []
        for batch in batches:
            whole = infer.prepared(config, batch, for_training=True)
            dealt = None if len(batch.input_ids) % self.mesh.size else shares([batch], self.mesh.size)
            each = [batch] * self.mesh.size if dealt is None else [one for (one,) in dealt]
            times = self.mesh.size if dealt is None else 1
            found = []
            for number in self._own_numbers():
                is_mean = batch.class_targets is None  # the model's own loss; by targets it is a sum
                share = (each[number].items()["loss"] if is_mean else 1) / (total * times or 1)
                rows = slice(None) if dealt is None else slice(number, None, self.mesh.size)
                cut = {name: array[rows] if array.ndim else array for name, array in whole.items()}
                found.append({**cut, "share": np.float32(share)})
            parts.append(self._on_devices({name: np.stack([one[name] for one in found]) for name in found[0]}))
        return parts, {"loss": np.float32(1)}

    def _own_numbers(self) -> list[int]:
        """Which devices of the mesh are those of this process."""
        own = jax.process_index()
        return [number for number, device in enumerate(self.mesh.devices.flat) if device.process_index == own]

    def _spread_pretraining(
        self, config: AlbertConfig, batches: Sequence[PretrainingBatch]
    ) -> tuple[list[Arrays], dict[str, np.float32]]:
        """Batches (D, ...) of pre-training of which every device has its own rows, and a factor for each loss.

        The factors make sums of losses parts of the mean over all items of the step. All batches have one shape on all
        devices, and there are as many in every process.
        """
        here = jax.local_device_count()
        names = list(batches[0].items())
        parts, totals = [], np.zeros(len(names), np.int64)
        for batch in batches:
            require_valid(config, batch)
            bounds = [len(batch.sequence) * number // here for number in range(here + 1)]
            parts.append([batch.rows(*pair) for pair in itertools.pairwise(bounds)])
            totals += list(batch.items().values())
        each = [cut for part in parts for cut in part]
        rows = max(len(cut.sequence) for cut in each)
        masked = max(len(cut.mlm_positions) for cut in each)
        sequences = max(len(cut.cls_positions) for cut in each)
        agreed = np.array([[len(parts), rows, masked, sequences, *totals]], np.int32)
        if jax.process_count() > 1:
            agreed = multihost_utils.process_allgather(agreed[0])
        count, rows, masked, sequences = agreed[:, :4].max(axis=0).tolist()
        parts += [[batches[0].rows(0, 0)] * here] * (count - len(parts))
        length = batches[0].sequence.shape[1]
        sizes = pretraining_sizes(rows, length, masked, sequences)
        ready = []
        for part in parts:
            cuts = [cut.pad(rows, *sizes, config.pad_token_id or 0).arrays() for cut in part]
            ready.append(self._on_devices({name: np.stack([cut[name] for cut in cuts]) for name in cuts[0]}))
        factors = (1 / np.maximum(agreed[:, 4:].sum(axis=0), 1)).astype(np.float32)
        return ready, dict(zip(names, factors, strict=True))

    def _on_devices(self, batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
        return {name: jax.make_array_from_process_local_data(self.divided, array) for name, array in batch.items()}


def are_launched() -> bool:
    """Whether one of the launchers that JAX knows has started several processes."""
    asked = os.environ.get
    by_slurm = "SLURM_STEP_NODELIST" in os.environ and int(asked("SLURM_NTASKS", "1")) > 1
    by_mpi = int(asked("OMPI_COMM_WORLD_SIZE", "1")) > 1
    by_kubernetes = "JOB_COMPLETION_INDEX" in os.environ and importlib.util.find_spec("kubernetes") is not None
    return by_slurm or by_mpi or by_kubernetes


@functools.partial(jax.jit, static_argnums=0)
def _gathered(layout: Layout, tree: PyTree) -> PyTree:
    return jax.lax.with_sharding_constraint(tree, layout.everywhere)
