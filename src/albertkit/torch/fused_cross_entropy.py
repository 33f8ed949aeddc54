"""A dense layer over the vocabulary and its cross entropy as one function, which needs far less memory than the two."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from albertkit.backends import Precision
from albertkit.kernels import library, training

BLOCK_SIZE = 2**21
"""Scores that PyTorch turns into probabilities at a time on a CPU: what its caches hold. GPUs take all at once."""


def summed_loss(states: Tensor, weight: Tensor, bias: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, summed, of the scores `states @ weight.T + bias`: (M, E), (V, E), (V,), (M,) -> () float32.

    M masked tokens, E embedding size, V vocabulary; labels are int64. Of all that is as large as the scores (M, V) only
    they are kept, in the precision of the product, and their gradient overwrites them. Has first derivatives only.
    """
    return _SummedLoss.apply(states, weight, bias, labels)  # type: ignore[no-untyped-call]  # PyTorch gives it no type


class _SummedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, bias: Tensor, labels: Tensor) -> Tensor:
        scores = functional.linear(states, weight, bias)  # where autocast acts, in its precision
        precision = _compiled(scores)
        loss = _by_torch(scores, labels) if precision is None else _by_library(scores, precision, labels)
        ctx.save_for_backward(scores, states.to(scores.dtype), weight.to(scores.dtype))
        ctx.kinds = states.dtype, weight.dtype, bias.dtype
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # type: ignore[override]  # PyTorch: any arguments
        gradient, states, weight = ctx.saved_tensors
        to_states = (gradient @ weight).to(ctx.kinds[0]) * upstream
        states = states * upstream.to(states.dtype)  # smaller than the product
        to_weight = (gradient.mT @ states).to(ctx.kinds[1])
        to_bias = gradient.sum(0).to(ctx.kinds[2]) * upstream
        return to_states, to_weight, to_bias, None


def _compiled(scores: Tensor) -> Precision | None:
    """The precision in which the compiled library finds the loss of such scores, if it does."""
    known: dict[torch.dtype, Precision] = {torch.float32: "fp32", torch.bfloat16: "bf16"}
    precision = known.get(scores.dtype) if scores.device.type == "cpu" else None
    return precision if precision and library.can_train(precision) else None


def _by_library(scores: Tensor, precision: Precision, labels: Tensor) -> Tensor:
    array = (scores.view(torch.uint16) if precision == "bf16" else scores).numpy()
    losses = training.cross_entropy(array, precision, labels.contiguous().numpy(), torch.get_num_threads())
    return torch.from_numpy(losses).sum()


def _by_torch(scores: Tensor, labels: Tensor) -> Tensor:
    rows = max(BLOCK_SIZE // max(scores.shape[1], 1), 1) if scores.device.type == "cpu" else max(len(scores), 1)
    loss = torch.zeros((), device=scores.device)
    for part, wanted in zip(scores.split(rows), labels[:, None].split(rows), strict=True):
        logarithms = part.float().log_softmax(-1)
        loss -= logarithms.gather(-1, wanted).sum()
        gradient = logarithms.exp_()
        gradient.scatter_add_(-1, wanted, gradient.new_full(wanted.shape, -1.0))
        part.copy_(gradient)
    return loss
