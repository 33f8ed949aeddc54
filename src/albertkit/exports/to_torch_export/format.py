"""The format of torch.export, written and answered by PyTorch: one file with the graph and the weights."""

from collections.abc import Sequence
from pathlib import Path

from albertkit.arrays import Tensors
from albertkit.backends import Forward, Outputs
from albertkit.batches import PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.exports import base
from albertkit.exports.base import Written

FILE = "torch-export/model.pt2"


class TorchExport:
    """Programs of torch.export, for PyTorch without albertkit, and for what compiles its graphs."""

    name = "torch-export"
    title = "torch.export"
    extra = "torch"
    precisions: tuple[str, ...] = ("fp32",)
    needs_trust = True

    def require_installed(self, precision: str | None) -> None:
        """MissingDependency without torch."""
        base.require_packages(self, "torch")

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
        import torch

        from albertkit.exports.to_torch_export import program

        (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
        torch.export.save(program.traced(config, head, tensors), folder / FILE)
        weights, products = program.counted(torch.export.load(folder / FILE))
        return Written(FILE, (FILE,), weights, products, 0)

    def compile(self, file: Path, config: AlbertConfig, head: str, device: str | None = None) -> Forward:
        """The forward pass by PyTorch, on the CPU or on a device such as "cuda:0"."""
        import torch

        from albertkit.exports.to_torch_export import program
        from albertkit.torch.infer import require_device

        place = require_device(device or "cpu")
        shortest = base.shortest(config, head)
        model = program.opened(file, place)

        @torch.inference_mode()
        def run(given: Tensors) -> Outputs:
            arrays = base.lengthened(config, given, shortest)
            found = model(**{name: torch.from_numpy(array).to(place) for name, array in arrays.items()})
            return {name: value.cpu().numpy() for name, value in found.items()}

        return base.forward(config, head, run)
