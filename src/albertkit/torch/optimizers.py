"""The optimizers of training in PyTorch: AdamW, LAMB and Muon, in the numbers of the original ALBERT or of PyTorch.

Knows no model and no schedule: groups of parameters, and the learning rate that each step brings in `group["lr"]`.
"""

# pyright: reportPrivateImportUsage=false
# The operations over many tensors at once have no public name; PyTorch's own optimizers are made of them.

from collections.abc import Mapping
from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from albertkit import muon, weight_table
from albertkit.backends import OptimizerSettings

ParamGroup = dict[str, Any]
"""What PyTorch keeps of a group of parameters, or of a parameter: numbers, pairs of numbers, tensors."""


class AdamW(torch.optim.Optimizer):
    """Adam with decoupled weight decay (arXiv 1711.05101), whose moments need not be corrected for their start at 0.

    With the correction it gives the numbers of `torch.optim.AdamW`, without it those of the original ALBERT. What has
    no gradient is left alone, as in PyTorch's optimizers.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        bias_correction: bool = True,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        own = {"bias_correction": bias_correction, "is_adapted": True, "is_orthogonal": False}
        super().__init__(params, options | own)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # PyTorch's also takes a closure
        """Change every parameter that has a gradient. Takes no closure: the gradients are there."""
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                torch._foreach_add_(parameters, self._updates(parameters, group), alpha=-group["lr"])

    def _updates(self, parameters: list[torch.Tensor], group: ParamGroup) -> list[torch.Tensor]:
        """What is taken from each parameter, but for the learning rate."""
        states = [self._advanced_state(parameter) for parameter in parameters]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        first, second = ([each[what] for each in states] for what in ("exp_avg", "exp_avg_sq"))
        beta1, beta2 = group["betas"]
        torch._foreach_lerp_(first, gradients, 1 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
        updates, roots = first, torch._foreach_sqrt(second)
        if group["bias_correction"]:
            steps = [float(each["step"]) for each in states]
            updates = torch._foreach_div(updates, [1 - beta1**step for step in steps])
            torch._foreach_div_(roots, [(1 - beta2**step) ** 0.5 for step in steps])
        torch._foreach_add_(roots, group["eps"])
        updates = torch._foreach_div(updates, roots)
        if group["weight_decay"]:
            torch._foreach_add_(updates, parameters, alpha=group["weight_decay"])
        return list(updates)

    def _advanced_state(self, parameter: torch.Tensor) -> ParamGroup:
        """What is kept of a parameter, one step on: its number of steps and both moments."""
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        # On the CPU, so that its value can be asked for without waiting for an accelerator.
        state["step"] = state["step"].cpu() + 1
        return state


class Lamb(AdamW):
    """LAMB (arXiv 1904.00962, algorithm 2) as the original ALBERT has it: no correction of the moments by default.

    The update of AdamW, decay included, is scaled by its tensor's trust ratio |w| / |update|, or 1 where either is 0.
    Groups with `is_adapted` false are not scaled.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        bias_correction: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, bias_correction)

    def _updates(self, parameters: list[torch.Tensor], group: ParamGroup) -> list[torch.Tensor]:
        updates = super()._updates(parameters, group)
        if group["is_adapted"]:
            pairs = zip(torch._foreach_norm(parameters), torch._foreach_norm(updates), strict=True)
            ratios = [torch.where((weight > 0) & (update > 0), weight / update, 1.0) for weight, update in pairs]
            torch._foreach_mul_(updates, ratios)
        return updates


class Muon(AdamW):
    """Muon for groups with `is_orthogonal`, AdamW for others; see `albertkit.muon`.

    Of a matrix the first moment is the momentum, and the second stays 0. Under autocast its products are in bfloat16,
    which is enough: what they give is not exactly orthogonal anyway.
    """

    def _updates(self, parameters: list[torch.Tensor], group: ParamGroup) -> list[torch.Tensor]:
        if not group["is_orthogonal"]:
            return super()._updates(parameters, group)
        momenta = [self._advanced_state(parameter)["exp_avg"] for parameter in parameters]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        torch._foreach_lerp_(momenta, gradients, 1 - muon.MOMENTUM)
        ahead = torch._foreach_lerp(gradients, momenta, muon.MOMENTUM)
        updates = [muon.scale(each.shape) * _orthogonal(each) for each in ahead]
        if group["weight_decay"]:
            torch._foreach_add_(updates, parameters, alpha=group["weight_decay"])
        return updates


def _orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """(M, N) -> the same with singular values near 1."""
    a, b, c = muon.COEFFICIENTS
    is_tall = matrix.shape[0] > matrix.shape[1]
    found = matrix / (matrix.norm() + muon.EPSILON)
    found = found.T if is_tall else found
    for _ in range(muon.ITERATIONS):
        square = found @ found.T
        found = torch.addmm(found, torch.addmm(square, square, square, beta=b, alpha=c), found, beta=a)
    return (found.T if is_tall else found).to(matrix.dtype)


def create(settings: OptimizerSettings, parameters: Mapping[str, torch.nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer of the parameters by canonical name; a shared one stands in there once.

    Biases and norms are spared from decay, and from LAMB's trust ratio, and so are `settings.frozen` parts. What a step
    multiplies its rate by for a group stands in its `rate_factor`; what `settings.rates` give 0 is in no group.
    """
    groups: dict[tuple[float, bool, bool], ParamGroup] = {}
    for name, parameter in parameters.items():
        is_spared = weight_table.kind(name) in ("bias", "norm") or settings.is_frozen(name)
        decay = {"weight_decay": 0.0, "is_adapted": False} if is_spared else {"weight_decay": settings.weight_decay}
        if factor := settings.rate_of(name):
            is_orthogonal = settings.name == "muon" and weight_table.is_hidden_matrix(name)
            own = {"params": [], "rate_factor": factor, "is_orthogonal": is_orthogonal, **decay}
            group = groups.setdefault((factor, is_spared, is_orthogonal), own)
            group["params"].append(parameter)
    if settings.name == "adamw" and settings.corrects_bias:
        return torch.optim.AdamW(list(groups.values()), lr=0.0, betas=settings.betas, eps=settings.epsilon, fused=True)
    kind = {"adamw": AdamW, "lamb": Lamb, "muon": Muon}[settings.name]
    return kind(list(groups.values()), 0.0, settings.betas, settings.epsilon, bias_correction=settings.corrects_bias)
