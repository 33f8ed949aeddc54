#!/usr/bin/env bash
# Opacus 1.6.0 with fast gradient clipping or ghost clipping: of a module that runs several times in one pass under
# torch.utils.checkpoint with use_reentrant=True the norms of gradients come out too small, without an error or a warning of it. What is
# clipped to max_grad_norm by them stays larger than that, which the noise is not made for. Ghost clipping refuses a
# module that runs several times ("Parameter tying is not supported"), but does not see it here. Right are: fast gradient clipping
# without checkpoints, and with them where each run has a layer of its own. With use_reentrant=False it is an error either way.
# Seen on 2026-12-01, Python 3.11, torch 2.13.0: four runs; rows clipped to 1 have norms of 3.2 to 3.4.
# Not found among its issues (413 and pull request 417 are about tied parameters without checkpoints).
# Matters to: whoever trains ALBERT, or another model that shares its layers, with differential privacy and checkpoints for memory.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check opacus==1.6.0
cd "$folder"
cat > program.py <<'PY'
import torch
from opacus.grad_sample.grad_sample_module_fast_gradient_clipping import GradSampleModuleFastGradientClipping
from torch.utils.checkpoint import checkpoint

IDS = torch.randint(0, 20, (3, 5), generator=torch.Generator().manual_seed(0))


class Encoder(torch.nn.Module):
    """Four runs of one layer, or of a layer each."""

    def __init__(self, layers, reentrant):
        super().__init__()
        torch.manual_seed(0)
        self.reentrant = reentrant
        self.embedding = torch.nn.Embedding(20, 8)
        pieces = [[torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 8)] for _ in range(layers)]
        self.layers = torch.nn.ModuleList(torch.nn.Sequential(*one) for one in pieces)

    def forward(self, ids):
        rows = self.embedding(ids)
        for number in range(4):
            layer = self.layers[number % len(self.layers)]
            out = layer(rows) if self.reentrant is None else checkpoint(layer, rows, use_reentrant=self.reentrant)
            rows = rows + out
        return rows


def losses(model):
    return model(IDS).pow(2).sum((1, 2))


def true_norms(layers):
    """The norm of the gradient of each row, computed one by one."""
    norms = []
    for row in range(len(IDS)):
        model = Encoder(layers, None)
        losses(model)[row].backward()
        norms.append(torch.stack([one.grad.norm() for one in model.parameters()]).norm())
    return torch.stack(norms)


def clipped_norms(layers, reentrant, ghost):
    """The norms of the rows' gradients after they were multiplied by what Opacus clips them to 1 with."""
    model = Encoder(layers, reentrant)
    wrapped = GradSampleModuleFastGradientClipping(model, loss_reduction="sum", max_grad_norm=1, use_ghost_clipping=ghost)
    losses(wrapped).sum().backward()
    return true_norms(layers) * wrapped.get_clipping_coef()


for layers in (4, 1):
    for reentrant in (None, True, False):
        for ghost in (False, True):
            name = f"layers {layers}, reentrant {reentrant}, {'ghost' if ghost else 'fast'} clipping"
            try:
                norms = clipped_norms(layers, reentrant, ghost)
            except (NotImplementedError, AttributeError) as error:
                print(f"{name}: {type(error).__name__}: {error}")
                tied = layers == 1 and ghost and not reentrant
                assert tied or reentrant is False, "it is an error now"
                assert not tied or "Parameter tying" in str(error), "it is another error now"
                continue
            print(f"{name}: rows clipped to 1 have the norms {[round(float(norm), 3) for norm in norms]}")
            wrong = layers == 1 and reentrant
            assert norms.max() > 1.2 if wrong else norms.max() < 1.001, "it is no longer so"
PY
"$folder/venv/bin/python" program.py 2> errors.txt || { tail -5 errors.txt; exit 1; }
if grep -iE 'reentrant|checkpoint|tying' errors.txt; then
    echo "it says something now"
    exit 1
fi
