"""What a measurement found, as JSON and as a picture."""

import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from albertkit import processors
from albertkit.bench import figures
from albertkit.bench.figures import FEW_ROUNDS, Figures
from albertkit.bench.measure import Measured
from albertkit.bench.rows import Rows
from albertkit.errors import InputError, MissingDependency
from albertkit.kernels import library
from albertkit.training import plots
from albertkit.typing import Record

_PACKAGES = (
    *("albertkit", "numpy", "torch", "tensorflow", "tensorflow-cpu", "ai-edge-litert", "jax", "flax"),
    *("onnxruntime", "openvino", "transformers"),
)
_TENSORFLOW = ("tensorflow", "tensorflow-cpu")
_ANSWERING = {
    "tensorflow": _TENSORFLOW,
    "flax": ("jax",),
    "onnx": ("onnxruntime",),
    "torch-export": ("torch",),
    "saved-model": _TENSORFLOW,
    "litert": ("ai-edge-litert", *_TENSORFLOW),
    "stablehlo": ("jax",),
}
"""The packages that may answer for a backend, where none is called as it is; the first that is installed does."""


@dataclass(frozen=True)
class Result:
    """A measurement with what it was of."""

    model: str
    rows: Rows
    threads: int
    measured: Measured

    @property
    def tokens(self) -> int:
        """Those of the rows that were answered together."""
        return self.rows.tokens(self.measured.rows)

    @property
    def figures(self) -> list[Figures]:
        """The figures of every candidate that could be measured."""
        return figures.of_all(self.measured, self.tokens)

    @property
    def failed(self) -> dict[str, str]:
        """Why the others could not, by their names."""
        return {str(one.candidate): one.error for one in self.measured.readings if one.error is not None}

    @property
    def machine(self) -> str:
        """The processor, and the versions of the libraries that answered."""
        named, versions = _machine(), _versions()
        named_so = [_ANSWERING.get(one.backend, (one.backend,)) for one in self.figures]
        asked = [name for names in named_so for name in [one for one in names if one in versions][:1]]
        used = [f"{name} {versions[name]}" for name in dict.fromkeys(("albertkit", *asked))]
        return ", ".join([f"{named['processor']}, {named['cores']} cores", *used])

    @property
    def auto(self) -> str | None:
        """What the precision auto is in PyTorch here, as far as known."""
        return next((one.auto for one in self.measured.readings if one.auto), None)

    def notes(self, has_peer: bool) -> list[str]:
        """Sentences on what was measured and on how far it can be trusted."""
        measured, found = self.measured, self.figures
        told = [
            f"{measured.rows:,} texts with {self.tokens:,} tokens ({self.rows.data}) for {self.rows.task}, "
            f"{measured.rounds} rounds in turn, {self.threads} threads, tokenizing left out."
        ]
        told += [f"{name} could not be measured: {why}" for name, why in self.failed.items()]
        told += [] if has_peer else ["No peer is installed: Transformers is measured beside where it is."]
        told.append(f"{self.machine}.")
        told += [f"The precision auto is {self.auto} on this machine."] if self.auto else []
        told.append(library.description())
        spreads = [one.spread for one in found if one.spread is not None]
        if measured.rounds < FEW_ROUNDS or not spreads:
            told.append(f"Fewer than {FEW_ROUNDS} rounds tell nothing of noise: give more --seconds.")
        elif len(found) > 1:
            told.append(
                f"Rounds of one candidate differ by up to {max(spreads):.0%}. A ratio with ~ is no difference: rounds "
                "do not agree on which of the two is faster."
            )
        return told

    def record(self) -> Record:
        """All of it as JSON, each reading included."""
        measured = self.measured
        readings = {str(one.candidate): one.seconds for one in measured.readings if one.seconds}
        return {
            "model": self.model,
            "task": self.rows.task,
            "data": self.rows.data,
            "texts": measured.rows,
            "tokens": self.tokens,
            "rounds": measured.rounds,
            "stopped": measured.stopped is not None,
            "threads": self.threads,
            "auto": self.auto,
            "compiled_encoder": library.fastest(),
            "candidates": [one.record() for one in self.figures],
            "failed": self.failed,
            "seconds": readings,
            "machine": _machine(),
            "versions": _versions(),
        }


def _machine() -> Record:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = named[0] if named else model
    return {"processor": model, "cores": processors.count(), "system": platform.system()}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def require_plots(file: Path) -> None:
    """InputError for another ending than .png, MissingDependency where there is nothing to draw with."""
    if file.suffix.lower() != ".png":
        raise InputError(f"A plot is a .png. Received: {file}. Call it {file.with_suffix('.png')}.")
    if not plots.are_possible():
        raise MissingDependency("A plot", "Matplotlib", "plots")


def draw(found: Sequence[Figures], target: Path, title: str) -> None:
    """Tokens a second, with the slowest and the fastest round, and the median and 95th percentile of single texts."""
    pyplot = plots.prepared()
    names, places = [one.name for one in found], range(len(found))
    lengths = list(found[0].latency)
    height = 1.5 + 0.35 * len(found)
    drawn, axes = pyplot.subplots(1, 1 + len(lengths), figsize=(4.2 * (1 + len(lengths)), height), layout="constrained")
    axes = [axes] if not lengths else list(axes)
    rates = [one.tokens_per_second for one in found]
    beyond = [(one.tokens_per_second - one.slowest, one.fastest - one.tokens_per_second) for one in found]
    axes[0].barh(places, rates, xerr=list(zip(*beyond, strict=True)), color=plots.BLUE, ecolor=plots.RED)
    axes[0].set_title("tokens a second, and the slowest and fastest round", fontsize=10)
    axes[0].xaxis.set_major_formatter("{x:,.0f}")
    axes[0].locator_params(axis="x", nbins=5)  # more of such long numbers would touch
    for axis, length in zip(axes[1:], lengths, strict=True):
        for name, colour in (("p95", plots.LIGHT), ("p50", plots.BLUE)):
            axis.barh(places, [one.latency[length][name] or 0 for one in found], color=colour, label=name)
        axis.set_title(f"ms for one text of {length} tokens", fontsize=10)
        axis.legend(fontsize=8)
    for number, axis in enumerate(axes):
        axis.set_yticks(places, names if number == 0 else [""] * len(names))
        axis.invert_yaxis()
    drawn.suptitle(title, fontsize=10)
    drawn.savefig(target, dpi=120)
    pyplot.close(drawn)
