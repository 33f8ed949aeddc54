"""Canonical tensors <-> the parameters of a PyTorch model.

The canonical names are those of `albertkit.weight_table`, and the attribute paths of the modules are the same, so the
rule for every kind of tensor is "as it is". Only a bare AlbertModel leaves the prefix `albert.` off; functions take
what stands before a model's own names as `prefix`, which is its `checkpoint_prefix`.
"""

import itertools
from collections.abc import Mapping

import ml_dtypes
import numpy as np
import torch
from torch import Tensor, nn

from albertkit import loading, weight_table
from albertkit.arrays import Tensors
from albertkit.checkpoint import init, report
from albertkit.config import AlbertConfig
from albertkit.errors import InputError


def to_numpy(tensor: Tensor) -> np.ndarray:
    """The values of a tensor; shares memory where it is on the CPU."""
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        return tensor.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def to_torch(array: np.ndarray) -> Tensor:
    """A tensor with the values of an array; shares memory where the array may be written to."""
    if array.dtype == ml_dtypes.bfloat16:
        return to_torch(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def canonical(model: nn.Module, prefix: str) -> dict[str, Tensor]:
    """The model's parameters and buffers by canonical name, tied ones under each of their names."""
    return {prefix + name: tensor for name, tensor in model.state_dict(keep_vars=True).items()}


def extract(model: nn.Module, prefix: str) -> Tensors:
    """The model's values by canonical name; they share memory with a model on the CPU."""
    return {name: to_numpy(tensor) for name, tensor in canonical(model, prefix).items()}


def load(
    model: nn.Module,
    prefix: str,
    config: AlbertConfig,
    tensors: Mapping[str, np.ndarray],
    source: str,
    *,
    dtype: torch.dtype | None = None,
    ignore_mismatched_sizes: bool = False,
) -> report.LoadReport:
    """Give the model the values in `tensors`, initialise a head that is missing there, and say what happened.

    What is missing and has values already, as from the constructor of a subclass, keeps them.

    Parameters take over the arrays' memory where precision and device allow it. `dtype` None keeps the model's own.
    Tied parameters are apart afterwards: the caller ties them again. WeightMismatch where the tensors are not those of
    such a model; `source` is what they are called there.
    """
    own = canonical(model, prefix)
    wanted = {name: tuple(tensor.shape) for name, tensor in own.items()}
    tied = weight_table.tied(config)
    chosen, what = report.fit(type(model).__name__, wanted, tied, tensors, source, ignore_mismatched_sizes)
    missing = [name for name in what.newly_initialized if name not in tied and own[name].is_meta]
    chosen |= init.initialize_missing(missing, wanted, config, _seed())
    modules = dict(model.named_modules())
    default = torch.get_default_device()
    for name, array in chosen.items():
        device = default if own[name].is_meta else own[name].device
        owner, _, leaf = name.removeprefix(prefix).rpartition(".")
        _assign(modules[owner], leaf, to_torch(array).to(device=device, dtype=dtype or own[name].dtype))
    _materialise(model, source)
    for tensor in itertools.chain(model.parameters(), model.buffers()):  # what a constructor gave values to
        if dtype is not None and tensor.is_floating_point():
            tensor.data = tensor.data.to(dtype)
    return what


def _assign(module: nn.Module, leaf: str, tensor: Tensor) -> None:
    """Put a tensor in the place of a module's parameter or buffer: `load_state_dict` with `assign`, for one of them."""
    old = getattr(module, leaf)
    is_parameter = isinstance(old, nn.Parameter)
    setattr(module, leaf, nn.Parameter(tensor, requires_grad=old.requires_grad) if is_parameter else tensor)


def _materialise(model: nn.Module, source: str) -> None:
    """Give values to tensors that a subclass made on "meta" and the checkpoint lacks, by the rule of their module.

    What else a module holds stays as it is. InputError for a tensor that no rule gives values to.
    """
    for path, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
        empty = {name: tensor for name, tensor in own.items() if tensor.is_meta}
        if not empty:
            continue
        kept = {name: tensor.detach().clone() for name, tensor in own.items() if name not in empty}
        for name, tensor in empty.items():
            if tensor.is_floating_point():  # NaN, to see what the rule leaves out
                _assign(module, name, torch.full_like(tensor, torch.nan, device=torch.get_default_device()))
        if callable(reset := getattr(module, "reset_parameters", None)):
            reset()
        with torch.no_grad():
            for name, values in kept.items():
                getattr(module, name).copy_(values)
        for name in empty:
            if (found := getattr(module, name)).is_meta or found.isnan().any():
                raise InputError(_without_values(f"{path}.{name}".removeprefix("."), type(model).__name__, source))


def _without_values(name: str, model: str, source: str) -> str:
    return (
        f"Each tensor of a model must have values once it is loaded. Received: {name} of {model}, which {source} lacks "
        "and the constructor made from layers that have no values before they are loaded. Make it by a shape, such as "
        "torch.ones(config.hidden_size) and not torch.ones_like(layer.weight), or give its module a reset_parameters."
    )


def initialise(model: nn.Module, prefix: str, config: AlbertConfig, done: nn.Module | None) -> None:
    """Draw initial values for the parameters that the table knows, but for those of the inner model `done`.

    Normal with `config.initializer_range`, as in the original release; see `checkpoint.init`. The seed follows from
    torch.manual_seed.
    """
    seed = _seed()
    drawn = set() if done is None else {id(tensor) for tensor in done.parameters()}
    own = {
        name: tensor
        for name, tensor in canonical(model, prefix).items()
        if not tensor.is_meta and id(tensor) not in drawn and weight_table.is_known(name)
    }
    values = init.initialize({name: tuple(tensor.shape) for name, tensor in own.items()}, config, seed)
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(to_torch(values[name]))


def resized(weight: Tensor, size: int, spread: float | None) -> Tensor:
    """(V, E) with `size` rows; see `checkpoint.init.resized`."""
    return to_torch(init.resized(to_numpy(weight), size, spread, _seed())).to(weight.device)


def device_of(device_map: object) -> torch.device | None:
    """The device that a `device_map` names, or None; see `loading.single_device`. InputError where it is not there."""
    named = loading.single_device(device_map)
    if named == "auto":
        kinds = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        named = next((kind for kind, is_there in kinds.items() if is_there), "cpu")
    if named is None:
        return None
    try:
        return torch.empty(0, device=named).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # AssertionError: torch without CUDA
        raise InputError(loading.no_such_device(device_map, error)) from error


def _seed() -> int:
    """A seed for NumPy that follows from torch.manual_seed."""
    return int(torch.randint(2**31, (), device="cpu"))
