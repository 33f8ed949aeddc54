#!/usr/bin/env bash
# FSDP2 (fully_shard) of torch 2.13.0 gives wrong gradients, without an error or a warning, of a module that runs several times in one
# pass under torch.utils.checkpoint with use_reentrant=True, if the module is sharded by itself. Every other gradient is right, and so
# is that of the same module with use_reentrant=False, without checkpoints, or sharded only with the whole model. It is so with and
# without reshard_after_forward, and in one process alone. Where each pass has a layer of its own, both kinds of checkpoint are right.
# DistributedDataParallel refuses such a model ("Expected to mark a variable ready only once").
# Seen on 2026-12-01, Python 3.11, gloo, without a GPU: after four passes the layer's gradients are wrong by up to 58 % of their norm in
# two processes, and by 32 % in one.
# Not found among its issues (fairscale's 617 and 777 are errors of its own predecessor of FSDP for such models).
# Matters to: whoever trains ALBERT or another model that shares its layers on several GPUs. Say use_reentrant=False.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > program.py <<'PY'
from pathlib import Path

import torch
import torch.distributed
import torch.multiprocessing
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

ROWS = torch.randn(8, 8, generator=torch.Generator().manual_seed(1))


class Encoder(torch.nn.Module):
    """Four passes through one layer, or through a layer each."""

    def __init__(self, layers, reentrant):
        super().__init__()
        torch.manual_seed(0)
        self.reentrant = reentrant
        self.embedding = torch.nn.Linear(8, 8)
        pieces = [[torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 8)] for _ in range(layers)]
        self.layers = torch.nn.ModuleList(torch.nn.Sequential(*one) for one in pieces)

    def forward(self, rows):
        rows = self.embedding(rows)
        for number in range(4):
            layer = self.layers[number % len(self.layers)]
            out = layer(rows) if self.reentrant is None else checkpoint(layer, rows, use_reentrant=self.reentrant)
            rows = rows + out
        return rows


def gradients(model, rows):
    model(rows).pow(2).mean().backward()
    return {name: one.grad.full_tensor() if hasattr(one.grad, "full_tensor") else one.grad for name, one in model.named_parameters()}


def errors(layers, reentrant, by_itself, reshard, rows):
    """How far the gradients are from those without sharding and checkpoints, in parts of their norm: of the layers, and of the rest."""
    right = gradients(Encoder(layers, None), ROWS)
    model = Encoder(layers, reentrant)
    if by_itself:
        for layer in model.layers:
            fully_shard(layer, reshard_after_forward=reshard)
    found = gradients(fully_shard(model), rows)
    far = {name: float((found[name] - right[name]).norm() / right[name].norm()) for name in right}
    return tuple(max(value for name, value in far.items() if name.startswith(part)) for part in ("layers", "embedding"))


def work(rank, processes):
    torch.set_num_threads(1)
    store = (Path.cwd() / f"store{processes}").as_uri()
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=processes)
    rows = ROWS.chunk(processes)[rank]
    for layers in (1, 4):
        for reentrant in (None, False, True):
            for by_itself, reshard in ((False, True), (True, True), (True, False)):
                layer, rest = errors(layers, reentrant, by_itself, reshard, rows)
                if not rank:
                    words = f"sharded {'by itself' if by_itself else 'with the model'}, reshard {reshard}"
                    print(f"processes {processes}, layers {layers}, reentrant {reentrant}, {words}: {layer:.1%} wrong, the rest {rest:.1%}")
                assert rest < 1e-5, "other gradients are wrong, too"
                wrong = layers == 1 and reentrant and by_itself
                assert layer > 0.2 if wrong else layer < 1e-5, "it is no longer so"
    if processes > 1:
        try:
            gradients(DistributedDataParallel(Encoder(1, True)), rows)
        except RuntimeError as error:
            assert "ready only once" in str(error), "it is another error now"
        else:
            raise AssertionError("DistributedDataParallel takes it now")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    for processes in (1, 2):
        torch.multiprocessing.spawn(work, (processes,), processes)
PY
"$folder/venv/bin/python" program.py 2> errors.txt || { tail -5 errors.txt; exit 1; }
if grep -iE 'reentrant|gradient|checkpoint' errors.txt; then
    echo "it says something now"
    exit 1
fi
