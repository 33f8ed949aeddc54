"""The format StableHLO, written and answered by JAX: one file with the program and the weights."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from albertkit.arrays import Tensors, bucket
from albertkit.backends import Forward, Outputs
from albertkit.batches import PaddedBatch, trim
from albertkit.config import AlbertConfig
from albertkit.exports import base
from albertkit.exports.base import Written

FILE = "stablehlo/model.jax_export"


class StableHlo:
    """Programs of jax.export, for JAX without albertkit and Flax, and, inside them, StableHLO for other compilers."""

    name = "stablehlo"
    title = "StableHLO"
    extra = "flax"
    precisions: tuple[str, ...] = ("fp32",)
    needs_trust = True

    def require_installed(self, precision: str | None) -> None:
        """MissingDependency without jax, and without flax to write."""
        base.require_packages(self, "jax", *(() if precision is None else ("flax",)))

    def write(
        self,
        config: AlbertConfig,
        head: str,
        tensors: Tensors,
        folder: Path,
        precision: str,
        samples: Sequence[PaddedBatch],
    ) -> Written:
        """Write one file. Nothing is measured, so `samples` are not read."""
        from jax import export

        from albertkit.exports.to_stablehlo import counts, program

        (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_bytes(program.traced(config, head, tensors).serialize())
        weights, products = counts.counted(export.deserialize(bytearray((folder / FILE).read_bytes())))
        return Written(FILE, (FILE,), weights, products, 0, f"for {', '.join(program.PLATFORMS)}")

    def compile(self, file: Path, config: AlbertConfig, head: str, device: str | None = None) -> Forward:
        """The forward pass by JAX, on its first accelerator where there is one, or on a device such as "cpu".

        Lengths are rounded up, for each shape of a batch is compiled.
        """
        import jax
        from jax import export

        from albertkit.flax.infer import require_device

        place = require_device(device) if device else None
        call = jax.jit(export.deserialize(bytearray(file.read_bytes())).call)

        def run(given: Tensors) -> Outputs:
            length = given["input_ids"].shape[-1]
            rounded = max(min(bucket(length), config.max_position_embeddings), base.shortest(config, head))
            arrays = base.lengthened(config, given, rounded)
            with jax.default_device(place):
                found = call(**{name: array.astype(np.int32) for name, array in arrays.items()})
            return trim({name: np.asarray(value) for name, value in found.items()}, length)

        return base.forward(config, head, run)
