"""What computes: the contracts of training and of inference, and which frameworks are installed.

The training loop and the inference engine know a backend by these contracts alone. A framework fulfils both, with its
modules `train` and `infer`; a runtime that only answers fulfils `InferBackend`. Imports none of them. Letters: B rows,
L places of a row, V vocabulary, P positions, M masked pieces, S sequences.
"""

import importlib.util
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from albertkit import weight_table
from albertkit.arrays import Tensors
from albertkit.batches import Batch, PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError, MissingDependency, did_you_mean
from albertkit.quantization import Quantization

PACKAGES = {"torch": ("torch",), "tensorflow": ("tensorflow", "keras"), "flax": ("jax", "flax", "optax")}
"""What each framework needs, in the order in which one is chosen where none is named."""

ANSWERING = (*PACKAGES, "numpy")
"""What answers: the frameworks, and NumPy, which is there without one."""

PREFIXES = {"torch": "Albert", "tensorflow": "TFAlbert", "flax": "FlaxAlbert"}
"""What the names of each framework's classes begin with."""

logger = logging.getLogger(__name__)

Precision = Literal["fp32", "bf16"]
"""What training computes in."""
InferPrecision = Literal["fp32", "bf16", "int8", "auto"]
"""What answers are computed in; auto: the fastest that the machine has."""
Outputs = dict[str, np.ndarray]
"""What a model answers, by name, float32."""
Forward = Callable[[PaddedBatch], Outputs]
"""A batch -> the outputs of a head. For a `MaskedBatch` the `logits` (P, V) at its positions alone."""
TrainState = Any
"""What a backend keeps between two steps; nobody else looks into it."""

_CORRECTS_BIAS = {"adamw": True, "lamb": False, "muon": True}
"""Optimizers, and whether each corrects its moments for their start at 0: PyTorch's AdamW does, the original not."""


@dataclass(frozen=True)
class OptimizerSettings:
    """What an optimizer is told once. ConfigError for a name that is none."""

    name: str = "adamw"
    """adamw (arXiv 1711.05101), lamb (arXiv 1904.00962, algorithm 2) or muon (see `albertkit.muon`)."""
    weight_decay: float = 0.01
    """Decoupled. Biases and norms are spared, and from LAMB's trust ratio, too, as in the original."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the two moments."""
    epsilon: float = 1e-6
    """Added to the root of the second moment, as in the original; PyTorch's own default is 1e-8."""
    bias_correction: bool | None = None
    """Whether the moments are corrected for their start at 0; None: for LAMB no, as in the original, for others yes."""
    max_gradient_norm: float = 1.0
    """The norm of the whole gradient is clipped to it; 0: never."""
    frozen: tuple[str, ...] = ()
    """What no loss reaches, and so is not decayed: parts, as of `weight_table.part`, and beginnings of names."""

    rates: tuple[tuple[str, float], ...] = ()
    """Beginnings of canonical names, and what the learning rate is multiplied by for what is called so: the first that
    fits holds, 1 where none does. What has 0 is not trained: it has no gradient, no decay, and no part in the norm."""

    def __post_init__(self) -> None:
        if self.name not in _CORRECTS_BIAS:
            raise ConfigError(
                f"`optimizer` must be one of {', '.join(_CORRECTS_BIAS)}. Received: {self.name!r}."
                f"{did_you_mean(str(self.name), _CORRECTS_BIAS)}"
            )

    @property
    def corrects_bias(self) -> bool:
        """Whether the moments are corrected: as stated, or else as the optimizer does it."""
        return _CORRECTS_BIAS[self.name] if self.bias_correction is None else self.bias_correction

    def for_model(self, config: AlbertConfig) -> "OptimizerSettings":
        """The same, with the groups of layers frozen that never run: those of a config with more groups than layers."""
        idle = sorted(set(range(config.num_hidden_groups)) - set(config.group_of_layer))
        names = (f"albert.encoder.albert_layer_groups.{group}." for group in idle)
        return replace(self, frozen=(*self.frozen, *names))

    def is_frozen(self, name: str) -> bool:
        """Whether the parameter of that canonical name is among `frozen`."""
        return weight_table.part(name) in self.frozen or name.startswith(
            tuple(beginning for beginning in self.frozen if beginning.endswith("."))
        )

    def rate_of(self, name: str) -> float:
        """What the learning rate is multiplied by for the parameter of that canonical name; see `rates`."""
        return next((factor for beginning, factor in self.rates if name.startswith(beginning)), 1.0)

    @property
    def clip(self) -> float:
        """The norm to clip to, infinite where there is none."""
        return self.max_gradient_norm or float("inf")


ADAMW = OptimizerSettings()
"""What is used where nothing else is said."""


class TrainBackend(Protocol):
    """Steps of training: NumPy batches in, numbers and canonical weights out. Knows no data, no schedule, no files."""

    def init_processes(self) -> None:
        """Meet the other processes, where a launcher has started several. ConfigError where that is not possible."""
        ...

    def rank(self) -> int:
        """The number of this process, from 0."""
        ...

    def world_size(self) -> int:
        """How many processes there are."""
        ...

    def broadcast(self, value: int) -> int:
        """A whole number, in every process as rank 0 has it; all must call this."""
        ...

    def init_state(
        self,
        config: AlbertConfig,
        head: str,
        tensors: Tensors,
        settings: OptimizerSettings = ...,
        precision: Precision = ...,
        is_sharded: bool = ...,
    ) -> TrainState:
        """A model `Albert{head}` with the given weights and its optimizer.

        `precision` bf16 computes in bfloat16 and keeps weights and optimizer in float32. With `is_sharded` each process
        or device keeps a share of both. WeightMismatch where weights do not fit.
        """
        ...

    def train_step(
        self,
        state: TrainState,
        batches: Sequence[Batch],
        learning_rate: float,
        seed: int,
        skip_above: float = ...,
    ) -> dict[str, float]:
        """One step over `batches`, whose items count alike: loss, its parts, and `gradient_norm` before clipping.

        Of several processes each brings its own rows of pre-training, and of examples all bring the same. `seed`
        decides dropout. Where the loss or the norm is not finite, or the norm is above `skip_above`, weights and
        optimizer stay as they are.
        """
        ...

    def eval_step(self, state: TrainState, batch: Batch) -> Outputs:
        """The model's outputs without dropout, the loss among them where the batch has labels.

        For pre-training, the loss of each item in their place, and whether it was predicted: mlm_losses and
        mlm_correct (M,), sop_losses and sop_correct (S,).
        """
        ...

    def get_weights(self, state: TrainState) -> Tensors:
        """The weights by canonical name, copied, tied ones once."""
        ...

    def set_weights(self, state: TrainState, tensors: Tensors) -> None:
        """Put the values of `get_weights` in place."""
        ...

    def get_optimizer(self, state: TrainState) -> Tensors:
        """The optimizer's state, copied, as {parameter/what: values}."""
        ...

    def set_optimizer(self, state: TrainState, tensors: Tensors) -> None:
        """Put the values of `get_optimizer` in place, also those of another framework."""
        ...


class InferBackend(Protocol):
    """Answers of a trained model: a framework, or a runtime that has no models of its own."""

    def compile(
        self,
        config: AlbertConfig,
        head: str,
        tensors: Tensors,
        source: str = ...,
        device: str | None = ...,
        precision: InferPrecision | None = ...,
        quantization: Quantization | None = ...,
    ) -> Forward:
        """The forward pass of `Albert{head}` with the given weights, without dropout.

        `source` names the checkpoint in errors, `device` is as `device_name` gives it. `precision` is that of the
        products, by default int8 where the backend has it and `quantization` is known, and else fp32. WeightMismatch
        where the head's weights are not among the tensors, InputError where there is no such device or precision.
        """
        ...


class FrameworkBackend(InferBackend, Protocol):
    """A framework, which answers with a model of its own, too."""

    def attach(self, model: Any, device: str | None = ...) -> Forward:
        """The forward pass of a model as it is at each call, without dropout; InputError as in `compile`."""
        ...


def require_fp32(precision: InferPrecision | None, framework: str) -> None:
    """InputError for a precision of answers that a framework does not compute in here, but for fp32."""
    if precision not in (None, "fp32", "auto"):
        raise InputError(
            f"`precision` must be fp32 or auto in {framework}. Received: {precision!r}. bf16 and int8 are computed by "
            "PyTorch: choose the framework torch."
        )


def installed() -> list[str]:
    """The frameworks whose packages are all there."""
    return [name for name, needed in PACKAGES.items() if all(map(importlib.util.find_spec, needed))]


def resolve(name: str) -> str:
    """The framework called `name`, or for "auto" the first that is installed.

    InputError for a name that is none, MissingDependency where none is installed.
    """
    if name == "auto":
        found = installed()
        if not found:
            raise MissingDependency("Computing", "PyTorch, TensorFlow or JAX", "torch")
        return found[0]
    if name not in PACKAGES:
        near = did_you_mean(name, PACKAGES)
        raise InputError(f"A framework must be one of {', '.join(PACKAGES)}, or auto. Received: {name!r}.{near}")
    return name


def resolve_for_answers(name: str) -> str:
    """As `resolve`, and numpy, too: for "auto" where no framework is installed, which is said."""
    if name == "auto" and not installed():
        logger.warning(
            'NumPy answers, for no framework is installed. One is faster for many texts: pip install "albertkit[torch]"'
        )
        return "numpy"
    return name if name == "numpy" else resolve(name)


def framework_of(model: object) -> str | None:
    """The framework of a model of this package, or None for anything else."""
    modules = [kind.__module__ for kind in type(model).__mro__]
    return next((name for name in PACKAGES if any(one.startswith(f"albertkit.{name}.") for one in modules)), None)


def device_name(device: object) -> str | None:
    """A device as backends are told it: "cpu", "cuda:0", ...; None, for the backend's own choice, stays.

    Takes a name, a number of a GPU, -1 for the CPU, or a `torch.device`. InputError for anything else.
    """
    if device is None:
        return None
    if isinstance(device, int) and not isinstance(device, bool) and device >= -1:
        return "cpu" if device == -1 else f"cuda:{device}"
    if type(device).__module__.partition(".")[0] == "torch" and hasattr(device, "type"):
        device = str(device)
    if isinstance(device, str) and device:
        return device
    raise InputError(
        f'`device` must be a name such as "cpu" or "cuda:0", the number of a GPU, or -1 for the CPU. Received: '
        f"{device!r}. Leave it out for the first GPU that there is, or else the CPU."
    )
