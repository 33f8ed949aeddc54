"""The optimizers of training in JAX: AdamW and LAMB, in the numbers of the original ALBERT or of PyTorch.

Knows no model and no schedule: trees of parameters, and the learning rate that each step brings. All of it can be
compiled, and stays right where arrays are spread over devices: a norm is that of a whole tensor.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from albertkit import rules, weight_table


@dataclass(frozen=True)  # not a tuple: jit must not take a Lamb for an AdamW with the same numbers
class AdamW:
    """Adam with decoupled weight decay (arXiv 1711.05101), whose moments need not be corrected for their start at 0.

    With the correction it gives the numbers of `optax.adamw`, without it those of the original ALBERT. What it
    remembers is the state of its transformation, in which an `optax.ScaleByAdamState` comes first.
    """

    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-6
    bias_correction: bool = True
    unreached: tuple[str, ...] = ()

    @property
    def transformation(self) -> optax.GradientTransformation:
        """Gradients -> what is taken from each parameter, but for the learning rate."""
        return optax.chain(*self._parts())

    def step(self, parameters: Any, memory: Any, gradients: Any, learning_rate: Any) -> tuple[Any, Any]:
        """-> the changed parameters, and what to remember for the next step."""
        updates, memory = self.transformation.update(gradients, memory, parameters)
        return jax.tree.map(lambda one, update: one - learning_rate * update, parameters, updates), memory

    def _parts(self) -> tuple[optax.GradientTransformation, ...]:
        moments = optax.scale_by_adam if self.bias_correction else _scale_by_plain_moments
        return moments(*self.betas, self.epsilon), optax.add_decayed_weights(self.weight_decay, mask=self._changed)

    def _changed(self, parameters: Any) -> Any:
        """Which parameters decay and are adapted: those of the kinds dense and embedding that a loss reaches."""

        def is_changed(path: Any, _: Any) -> bool:
            keys = [str(getattr(part, "key", "")) for part in path]
            is_kind = not {"kernel", "embedding"}.isdisjoint(keys)
            return is_kind and weight_table.part(".".join(keys)) not in self.unreached

        return jax.tree_util.tree_map_with_path(is_changed, parameters)


@dataclass(frozen=True)
class Lamb(AdamW):
    """LAMB (arXiv 1904.00962, algorithm 2) as the original ALBERT has it: no correction of the moments by default.

    The update of AdamW, decay included, is scaled by its tensor's trust ratio |w| / |update|, or 1 where either is 0.
    """

    bias_correction: bool = False

    def _parts(self) -> tuple[optax.GradientTransformation, ...]:
        return *super()._parts(), optax.masked(optax.scale_by_trust_ratio(), self._changed)


def create(
    optimizer: str,
    *,
    weight_decay: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-6,
    bias_correction: bool | None = None,
    unreached: Collection[str] = (),
) -> AdamW:
    """The optimizer "adamw" or "lamb" of a model's parameters; a shared one stands among them once.

    Biases and norms are spared from decay, and from LAMB's adaptation, and so are `unreached` parts of the model: what
    no loss reaches stays as it is. `bias_correction` None is the optimizer's habit. ConfigError for another optimizer.
    """
    is_corrected = rules.bias_correction(optimizer, bias_correction)
    kind = {"adamw": AdamW, "lamb": Lamb}[optimizer]
    return kind(weight_decay, tuple(betas), epsilon, is_corrected, tuple(unreached))


def _scale_by_plain_moments(beta1: float, beta2: float, epsilon: float) -> optax.GradientTransformation:
    """`optax.scale_by_adam` without the correction for the moments' start at 0."""

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        first = optax.tree.update_moment(updates, state.mu, beta1, 1)
        second = optax.tree.update_moment(updates, state.nu, beta2, 2)
        scaled = jax.tree.map(lambda one, two: one / (jnp.sqrt(two) + epsilon), first, second)
        return scaled, optax.ScaleByAdamState(state.count + 1, first, second)

    return optax.GradientTransformation(optax.scale_by_adam(beta1, beta2, epsilon).init, update)
