"""What a process computes with: its threads and caches. Imports nothing that reads that when it is imported."""

import os
import sys

from albertkit import processors

_LIBRARIES = ("OMP", "MKL", "OPENBLAS", "RAYON")


def limit(count: int) -> None:
    """Compute in so many threads: by the variables that libraries read once, and where PyTorch is here already."""
    for name in _LIBRARIES:
        os.environ[f"{name}_NUM_THREADS"] = str(count)
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def share_machine() -> None:
    """What suits a process that answers for long, unless its environment says otherwise; before PyTorch is imported.

    oneDNN must not hold products of a thousand shapes, lengths that hardly come again: 700 MB in int8. And where the
    compiled library computes, threads of OpenMP must not wait actively on its cores: a third of a server's CPU time. In
    a container with a share of a machine PyTorch would have a thread for each of the machine's cores.
    """
    from albertkit.kernels import library

    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    if processors.count() < processors.available():
        os.environ.setdefault("OMP_NUM_THREADS", str(processors.count()))
    if library.has_precision("fp32"):
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def train() -> None:
    """What suits a process that trains, unless its environment says otherwise; before PyTorch is imported.

    Where the compiled library computes the encoder, threads of OpenMP that wait actively for PyTorch's next operation
    take its cores: a tenth of a step of the small model. They wait so for a fraction of a millisecond.
    """
    from albertkit.kernels import library

    if library.can_train("fp32"):
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")


def of_each(workers: int) -> int:
    """The threads of each of so many processes, where none are asked for: of one alone what its environment says."""
    stated = os.environ.get("OMP_NUM_THREADS", "")
    if workers == 1 and stated.isdecimal():
        return int(stated)
    return max(processors.count() // workers, 1)
