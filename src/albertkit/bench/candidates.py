"""The ways in which a model can answer here: frameworks, precisions, its exports, and the peer, Transformers."""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from albertkit import backends, hub
from albertkit.backends import InferPrecision
from albertkit.errors import InputError, did_you_mean
from albertkit.exports import manifest, registry
from albertkit.inference import exported as exported_models
from albertkit.kernels import library

PEER = "transformers"
"""The library whose own model is measured beside: in PyTorch, float32, padded batches of PEER_ROWS rows."""
PEER_ROWS = 32
_OF_TORCH = get_args(InferPrecision)
_PRECISIONS = (*_OF_TORCH, "fp16", "uint8")
"""What may be asked for; the last two are of exports."""


@dataclass(frozen=True)
class Candidate:
    """One way to answer."""

    backend: str
    """A framework, numpy, a format of exports, or PEER."""
    precision: str

    def __str__(self) -> str:
        return f"{self.backend} {self.precision}"


def find(
    model: str | os.PathLike[str], backends_wanted: Sequence[str] = (), precisions: Sequence[str] = ()
) -> list[Candidate]:
    """All ways for a model, or those of the backends and precisions that are named. InputError where there is none.

    A backend that is named is listed even if it is not installed, so that its message is seen.
    """
    exported = _exports(model)
    known = (*backends.ANSWERING, *registry.names(), PEER)
    _require_known("--backends", backends_wanted, known)
    _require_known("--precisions", precisions, _PRECISIONS)
    found = backends_wanted or _installed(exported, is_export=exported_models.find(model, None, None) is not None)
    candidates = [
        Candidate(backend, precision)
        for backend in known
        if backend in found
        for precision in _offered(backend, exported)
        if not precisions or precision in precisions
    ]
    if "auto" in precisions:
        candidates += [Candidate("torch", "auto")] if "torch" in found else []
    if not candidates:
        raise InputError(
            f"There must be something to measure. Received: backends {', '.join(found) or 'none'} in "
            f"{', '.join(precisions) or 'any precision'}, which none of them has. Leave out --precisions or --backends."
        )
    return candidates


def has_peer() -> bool:
    """Whether Transformers and PyTorch are installed beside."""
    return all(map(importlib.util.find_spec, (PEER, "torch")))


def _installed(exported: Sequence[Candidate], is_export: bool) -> list[str]:
    """Backends that can be there; for a folder of exports without weights these alone."""
    formats = dict.fromkeys(one.backend for one in exported)
    return [*formats] if is_export else [*backends.installed(), "numpy", *formats, *([PEER] if has_peer() else [])]


def _offered(backend: str, exported: Sequence[Candidate]) -> list[str]:
    """The precisions of a backend, the slowest first."""
    if backend == "torch":
        return [name for name in _OF_TORCH if name != "auto"]
    if backend in registry.names():
        return [one.precision for one in exported if one.backend == backend] or ["auto"]
    if backend == "numpy":
        return [name for name in library.PRECISIONS if name == "fp32" or library.has_precision(name)]
    return ["fp32"]


def _exports(model: str | os.PathLike[str]) -> list[Candidate]:
    """What a folder was exported to, each once."""
    folder = hub.local_path(model)
    if not (Path(folder) / manifest.FILE).is_file():
        return []
    return list(dict.fromkeys(Candidate(one.format, one.precision) for one in manifest.read(folder)))


def _require_known(option: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"{option} takes {', '.join(known)}. Received: {name!r}.{did_you_mean(name, known)}")
