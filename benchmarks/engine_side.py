"""One side of the benchmarks of inference: answers for the same rows of ids, timed whenever it is asked to.

Run by engine_throughput.py and engine_latency.py, each side in its own process and environment:
python engine_side.py SIDE FOLDER ROWS.json. It prints "ready", and then for each line that it reads what that asks for:
"run N" the seconds for the first N rows, "run FROM TO" those for some, "memory" the bytes that it has held at most,
"end" the end.
"""

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Rows = list[list[int]]
BATCH = 32


def ours(folder: str, precision: str | None, backend: str = "torch") -> Callable[[Rows], Any]:
    """`precision` None: the default of a build that has no other."""
    from albertkit.pipelines import pipeline
    from albertkit.tasks.features import Features

    given = {} if precision is None else {"precision": precision}
    engine = pipeline("text-classification", folder, backend, device="cpu", **given)._engine
    return lambda rows: list(engine.run(Features(rows, [[0] * len(row) for row in rows])))


def operators(folder: str, precision: str) -> Callable[[Rows], Any]:
    """The same by PyTorch's operators, FBGEMM's no faster than with AVX2 where ONEDNN_MAX_CPU_ISA says so."""
    import torch

    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").startswith("AVX2"):
        file = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
        ctypes.CDLL(str(file))._ZN6fbgemm14fbgemmForceIsaENS_10inst_set_tE(1)  # avx2
    return ours(folder, precision)


def peer(folder: str) -> Callable[[Rows], Any]:
    """Transformers in padded batches, in the order of the rows."""
    import torch
    from transformers import AlbertForSequenceClassification

    model = AlbertForSequenceClassification.from_pretrained(folder).eval()

    @torch.inference_mode()
    def run(rows: Rows) -> list[Any]:
        return [model(**tensors).logits.numpy() for tensors in padded(rows)]

    return run


def padded(rows: Rows) -> Any:
    import torch

    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        longest = max(map(len, batch))
        ids = torch.zeros((len(batch), longest), dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, one in enumerate(batch):
            ids[row, : len(one)] = torch.tensor(one)
            mask[row, : len(one)] = 1
        yield {"input_ids": ids, "attention_mask": mask}


def openvino(file: Path, hint: str) -> Callable[[Rows], Any]:
    """An int8 model that `engine_peers.py` made of the peer's own with NNCF, by OpenVINO's asynchronous queue."""
    import openvino

    core = openvino.Core()
    core.set_property("CPU", {"CPU_RUNTIME_CACHE_CAPACITY": "64"})
    compiled = core.compile_model(file, "CPU", {"PERFORMANCE_HINT": hint})

    def run(rows: Rows) -> list[Any]:
        batches = [{name: tensor.numpy() for name, tensor in one.items()} for one in padded(rows)]
        if hint == "LATENCY":
            return [compiled(one)[0].copy() for one in batches]
        found: dict[int, Any] = {}
        queue = openvino.AsyncInferQueue(compiled)
        queue.set_callback(lambda request, number: found.__setitem__(number, request.get_output_tensor(0).data.copy()))
        for number, one in enumerate(batches):
            queue.start_async(one, number)
        queue.wait_all()
        return [found[number] for number in range(len(batches))]

    return run


def made(side: str, folder: str) -> Callable[[Rows], Any]:
    """The function of a side: before, peer, a precision in PyTorch or with its backend, such as int8 and numpy-int8,
    operators-PRECISION, or `openvino` or `exporter` with a hint, such as openvino-THROUGHPUT.
    """
    if side == "peer":
        return peer(folder)
    maker, _, how = side.partition("-")
    if maker in ("openvino", "exporter"):
        return openvino(Path(folder) / f"{maker}_int8.xml", how)
    if maker == "operators":
        return operators(folder, how)
    return ours(folder, how, maker) if how else ours(folder, None if side == "before" else side)


def peak_memory() -> int:
    """The bytes that this process has held at most; getrusage would count the process that it was started from, too."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def main() -> None:
    side, folder, file = sys.argv[1:]
    rows = json.loads(Path(file).read_text())
    run = made(side, folder)
    run(rows[: 2 * BATCH])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        word, *numbers = line.split()
        if word == "end":
            return
        if word == "memory":
            answer: Any = peak_memory()
        else:
            start = time.perf_counter()
            run(rows[slice(*map(int, numbers))])
            answer = time.perf_counter() - start
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
