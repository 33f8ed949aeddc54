"""The optimizers of training in JAX: AdamW, LAMB and Muon, in the numbers of the original ALBERT or of PyTorch.

Knows no model and no schedule: trees of parameters, and the learning rate that each step brings. All of it can be
compiled, and stays right where arrays are spread over devices: a norm is that of a whole tensor.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from albertkit import muon, weight_table
from albertkit.backends import OptimizerSettings
from albertkit.flax.typing import PyTree


@dataclass(frozen=True)  # not a tuple: jit must not take a Lamb for an AdamW with the same numbers
class AdamW:
    """Adam with decoupled weight decay (arXiv 1711.05101), whose moments need not be corrected for their start at 0.

    With the correction it gives the numbers of `optax.adamw`, without it those of the original ALBERT. Its state is
    that of its transformation, in which an `optax.ScaleByAdamState` comes first.
    """

    settings: OptimizerSettings

    @property
    def transformation(self) -> optax.GradientTransformation:
        """Gradients -> what is taken from each parameter, but for the learning rate."""
        return optax.chain(*self._parts())

    def step(
        self, parameters: PyTree, state: PyTree, gradients: PyTree, learning_rate: PyTree
    ) -> tuple[PyTree, PyTree]:
        """-> the changed parameters and the changed state."""
        updates, state = self.transformation.update(gradients, state, parameters)

        def changed(path: PyTree, one: PyTree, update: PyTree) -> PyTree:
            factor = self.settings.rate_of(name_of(path))
            return one - learning_rate * factor * update if factor else one

        return jax.tree_util.tree_map_with_path(changed, parameters, updates), state

    def _parts(self) -> tuple[optax.GradientTransformation, ...]:
        moments = optax.scale_by_adam if self.settings.corrects_bias else _scale_by_plain_moments
        return moments(*self.settings.betas, self.settings.epsilon), optax.add_decayed_weights(
            self.settings.weight_decay, mask=self._changed
        )

    def _changed(self, parameters: PyTree) -> PyTree:
        """Which parameters decay and are adapted: those of the kinds dense and embedding that a loss reaches."""

        def is_changed(path: PyTree, _: PyTree) -> bool:
            name = name_of(path)
            is_kind = not {"kernel", "embedding"}.isdisjoint(name.split("."))
            return is_kind and not self.settings.is_frozen(name)

        return jax.tree_util.tree_map_with_path(is_changed, parameters)


@dataclass(frozen=True)
class Lamb(AdamW):
    """LAMB (arXiv 1904.00962, algorithm 2) as the original ALBERT has it: no correction of the moments by default.

    The update of AdamW, decay included, is scaled by its tensor's trust ratio |w| / |update|, or 1 where either is 0.
    """

    def _parts(self) -> tuple[optax.GradientTransformation, ...]:
        return *super()._parts(), optax.masked(optax.scale_by_trust_ratio(), self._changed)


@dataclass(frozen=True)
class Muon(AdamW):
    """Muon for the matrices between states, AdamW for all else; see `albertkit.muon`.

    Of a matrix the first moment is the momentum, and the second stays 0.
    """

    def _parts(self) -> tuple[optax.GradientTransformation, ...]:
        moments, decay = super()._parts()
        return optax.GradientTransformation(moments.init, _with_orthogonal_matrices(moments.update)), decay


def name_of(path: PyTree) -> str:
    """The name of a parameter by its path in a tree, which begins as its canonical name does."""
    return ".".join(str(part.key) for part in path if hasattr(part, "key"))


def create(settings: OptimizerSettings, parameters: PyTree) -> AdamW:
    """The optimizer of a model's parameters; a shared one stands among them once.

    Biases and norms are spared from decay, and from LAMB's trust ratio, and so are `settings.frozen` parts. In JAX an
    optimizer holds no parameters, which are handed to `step`; they are named here as in the other frameworks.
    """
    return {"adamw": AdamW, "lamb": Lamb, "muon": Muon}[settings.name](settings)


def _scale_by_plain_moments(beta1: float, beta2: float, epsilon: float) -> optax.GradientTransformation:
    """`optax.scale_by_adam` without the correction for the moments' start at 0."""

    def update(updates: PyTree, state: PyTree, params: PyTree = None) -> PyTree:
        first = optax.tree.update_moment(updates, state.mu, beta1, 1)
        second = optax.tree.update_moment(updates, state.nu, beta2, 2)
        scaled = jax.tree.map(lambda one, two: one / (jnp.sqrt(two) + epsilon), first, second)
        return scaled, optax.ScaleByAdamState(state.count + 1, first, second)

    return optax.GradientTransformation(optax.scale_by_adam(beta1, beta2, epsilon).init, update)


def _with_orthogonal_matrices(adam: optax.TransformUpdateFn) -> optax.TransformUpdateFn:
    """The update of Adam, but for matrices, which `weight_table.is_hidden_matrix` names."""

    def update(updates: PyTree, state: PyTree, params: PyTree = None) -> PyTree:
        found: PyTree = adam(updates, state, params)
        scaled, after = found

        def chosen(of_matrix: Callable[..., jax.Array], *trees: PyTree) -> PyTree:
            """The last of the trees, with what `of_matrix` makes of the others at matrices."""

            def at(path: PyTree, *each: jax.Array) -> jax.Array:
                return of_matrix(*each[:-1]) if weight_table.is_hidden_matrix(_canonical(path)) else each[-1]

            return jax.tree_util.tree_map_with_path(at, *trees)

        momenta = chosen(_ahead, updates, state.mu, after.mu)
        changed = chosen(lambda slope, mean: _orthogonal(_ahead(slope, mean)), updates, momenta, scaled)
        return changed, optax.ScaleByAdamState(after.count, momenta, chosen(lambda nu: nu, state.nu, after.nu))

    return update


def _ahead(gradient: jax.Array, mean: jax.Array) -> jax.Array:
    """A mean moved towards a gradient by the momentum of Muon."""
    return muon.MOMENTUM * mean + (1 - muon.MOMENTUM) * gradient


def _orthogonal(matrix: jax.Array) -> jax.Array:
    """(M, N) -> the same with singular values near 1, scaled as `muon.scale` says."""
    a, b, c = muon.COEFFICIENTS
    is_tall = matrix.shape[0] > matrix.shape[1]
    found = matrix / (jnp.linalg.norm(matrix) + muon.EPSILON)
    found = found.T if is_tall else found
    for _ in range(muon.ITERATIONS):
        square = found @ found.T
        found = a * found + (b * square + c * square @ square) @ found
    return muon.scale(matrix.shape) * (found.T if is_tall else found)


def _canonical(path: PyTree) -> str:
    """The canonical name of a matrix by its path."""
    return name_of(path).removesuffix(".kernel").removesuffix(".weight") + ".weight"
