"""The optimizers of training in TensorFlow: AdamW, LAMB and Muon, in the numbers of the original ALBERT or of PyTorch.

Knows no model and no schedule: variables by canonical name, and the learning rate that each step brings.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from albertkit import muon, weight_table
from albertkit.backends import OptimizerSettings


class AdamW:
    """Adam with decoupled weight decay (arXiv 1711.05101), whose moments need not be corrected for their start at 0.

    With the correction it gives the numbers of PyTorch, without it those of the original ALBERT. Biases, norms and
    frozen parts are not decayed. `steps` counts, each parameter has its two moments in `moments`, and gradients are
    those of the parameters in `trained`, which are all but those to which `settings.rates` give 0.
    """

    def __init__(self, settings: OptimizerSettings, parameters: Mapping[str, tf.Variable]) -> None:
        self.settings = settings
        self.parameters = dict(parameters)
        self.changed = {
            name
            for name in parameters
            if weight_table.kind(name) not in ("bias", "norm") and not settings.is_frozen(name)
        }
        self.trained = {name: one for name, one in self.parameters.items() if settings.rate_of(name)}
        self.steps = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.moments = {
            name: tuple(tf.Variable(tf.zeros_like(parameter), trainable=False) for _ in settings.betas)
            for name, parameter in self.parameters.items()
        }

    def step(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor) -> None:
        """Change every trained parameter by its gradient, in a graph."""
        powers = self._powers()
        # The kernel adds epsilon to the root of a moment that is not yet corrected for its start at 0.
        epsilon = self.settings.epsilon * tf.sqrt(1 - powers[1])
        for (name, parameter), gradient in zip(self.trained.items(), gradients, strict=True):
            rate = learning_rate * self.settings.rate_of(name)
            if name in self.changed and self.settings.weight_decay:
                parameter.assign_sub(rate * self.settings.weight_decay * parameter)
            first, second = self.moments[name]
            if self._is_orthogonal(name):
                momentum = first.assign_add((1 - muon.MOMENTUM) * (gradient - first))
                ahead = muon.MOMENTUM * momentum + (1 - muon.MOMENTUM) * gradient
                parameter.assign_sub(rate * muon.scale(parameter.shape) * _orthogonal(ahead))
                continue
            tf.raw_ops.ResourceApplyAdam(
                var=parameter.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=self.settings.betas[0],
                beta2=self.settings.betas[1],
                epsilon=epsilon,
                grad=gradient,
            )

    def _is_orthogonal(self, name: str) -> bool:
        """Whether a parameter is changed as Muon does it."""
        return False

    def _powers(self) -> list[tf.Tensor]:
        """Each beta to the power of the step that begins; 0, the limit, where nothing is to be corrected."""
        step = tf.cast(self.steps.assign_add(1), tf.float64)
        if not self.settings.corrects_bias:
            return [tf.constant(0.0) for _ in self.settings.betas]
        return [tf.cast(tf.constant(beta, tf.float64) ** step, tf.float32) for beta in self.settings.betas]


class Lamb(AdamW):
    """LAMB (arXiv 1904.00962, algorithm 2) as the original ALBERT has it: no correction of the moments by default.

    The update of AdamW, decay included, is scaled by its tensor's trust ratio |w| / |update|, or 1 where either is 0.
    Biases, norms and frozen parts are neither decayed nor scaled.
    """

    def step(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor) -> None:
        """Change every trained parameter by its gradient, in a graph."""
        powers = self._powers()
        for (name, parameter), gradient in zip(self.trained.items(), gradients, strict=True):
            first, second = self.moments[name]
            mean = first.assign_add((1 - self.settings.betas[0]) * (gradient - first)) / (1 - powers[0])
            square = second.assign_add((1 - self.settings.betas[1]) * (gradient * gradient - second)) / (1 - powers[1])
            update = mean / (tf.sqrt(square) + self.settings.epsilon)
            if name in self.changed:
                update += self.settings.weight_decay * parameter
                weight_norm, update_norm = tf.norm(parameter), tf.norm(update)
                is_both = (weight_norm > 0) & (update_norm > 0)
                update *= tf.where(is_both, tf.math.divide_no_nan(weight_norm, update_norm), 1.0)
            parameter.assign_sub(learning_rate * self.settings.rate_of(name) * update)


class Muon(AdamW):
    """Muon for the matrices between states, AdamW for all else; see `albertkit.muon`.

    Of a matrix the first moment is the momentum, and the second stays 0.
    """

    def _is_orthogonal(self, name: str) -> bool:
        return weight_table.is_hidden_matrix(name)


def _orthogonal(matrix: tf.Tensor) -> tf.Tensor:
    """(M, N) -> the same with singular values near 1."""
    a, b, c = muon.COEFFICIENTS
    sides: Any = matrix.shape  # which is known where a graph is made
    is_tall = sides[0] > sides[1]
    found = matrix / (tf.norm(matrix) + muon.EPSILON)
    found = tf.transpose(found) if is_tall else found
    for _ in range(muon.ITERATIONS):
        square = tf.matmul(found, found, transpose_b=True)
        found = a * found + (b * square + c * square @ square) @ found
    return tf.transpose(found) if is_tall else found


def create(settings: OptimizerSettings, parameters: Mapping[str, tf.Variable]) -> AdamW:
    """The optimizer of the parameters by canonical name; a shared one stands in there once.

    Biases and norms are spared from decay, and from LAMB's trust ratio, and so are `settings.frozen` parts.
    """
    return {"adamw": AdamW, "lamb": Lamb, "muon": Muon}[settings.name](settings, parameters)
