"""A dense layer over the vocabulary and its cross entropy as one function, which needs far less memory than the two."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

BLOCK_SIZE = 2**21
"""Scores that are turned into probabilities at a time on a CPU: what its caches hold. GPUs take all at once."""


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
        rows = max(BLOCK_SIZE // len(weight), 1) if scores.device.type == "cpu" else max(len(scores), 1)
        loss = torch.zeros((), device=scores.device)
        for part, wanted in zip(scores.split(rows), labels[:, None].split(rows), strict=True):
            logarithms = part.float().log_softmax(-1)
            loss -= logarithms.gather(-1, wanted).sum()
            gradient = logarithms.exp_()
            gradient.scatter_add_(-1, wanted, gradient.new_full(wanted.shape, -1.0))
            part.copy_(gradient)
        ctx.save_for_backward(scores, states.to(scores.dtype), weight.to(scores.dtype))
        ctx.kinds = states.dtype, weight.dtype, bias.dtype
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # type: ignore[override]  # PyTorch: any arguments
        gradient, states, weight = ctx.saved_tensors
        found = gradient @ weight, gradient.mT @ states, gradient.sum(0)
        to_states, to_weight, to_bias = (one.to(kind) * upstream for one, kind in zip(found, ctx.kinds, strict=True))
        return to_states, to_weight, to_bias, None
