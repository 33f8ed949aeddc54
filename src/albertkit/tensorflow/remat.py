"""A step run in a loop, with TensorFlow's gradient or with rematerialisation: one that keeps little and recomputes.

XLA copies all that the gradient of a loop needs into arrays stacked over its turns. In `remat_loop` these are the state
before each turn and what the step marks as `saveable`; the rest is computed from them again, turn by turn. Knows
nothing of layers.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar

import tensorflow as tf

from albertkit.errors import InputError
from albertkit.tensorflow.typing import Tensor

Function = Callable[..., Tensor]
Save = Callable[..., Tensor]
"""How a saveable result is come by: of the function and its inputs."""

_save: ContextVar[Save | None] = ContextVar("save", default=None)


def saveable(function: Function, *inputs: Tensor) -> Tensor:
    """`function(*inputs)`, which the backward pass of `remat_loop` does not compute again.

    The gradient of the function must not need its result.
    """
    save = _save.get()
    return function(*inputs) if save is None else save(function, *inputs)


def while_loop(step: Function, turns: range, state: Tensor, given: Sequence[Tensor]) -> Tensor:
    """The last state, where each is `step(turn, state before it, *given)`. Its gradient is TensorFlow's own."""
    start = (tf.constant(turns.start), state)
    return tf.while_loop(
        lambda turn, _: turn < turns.stop,
        lambda turn, state: (turn + 1, step(turn, state, *given)),
        start,
        maximum_iterations=len(turns),
    )[1]


def remat_loop(step: Function, turns: range, state: Tensor, given: Sequence[Tensor]) -> Tensor:
    """What `while_loop` answers, with a gradient that keeps little, but has no gradient of its own: InputError."""

    @tf.custom_gradient
    def last(state: Tensor, *given: Tensor) -> tuple[Tensor, Function]:
        state, saved = _forward_loop(step, turns, state, given)
        return state, lambda upstream: _once(*_backward_loop(step, turns, saved, upstream, given))

    return last(state, *given)


def _forward_loop(
    step: Function, turns: range, state: Tensor, given: Sequence[Tensor]
) -> tuple[Tensor, list[tf.TensorArray]]:
    """The last state, and what every turn saved: an array each, with an entry a turn."""
    first = turns.start
    traced = tf.function(lambda: _forward(step, tf.constant(first), state, given)[1], autograph=False)
    specs = traced.get_concrete_function().structured_outputs
    arrays = [tf.TensorArray(spec.dtype, len(turns), element_shape=spec.shape) for spec in specs]

    def ahead(turn: Tensor, state: Tensor, arrays: list[tf.TensorArray]) -> tuple[Tensor, Tensor, list[tf.TensorArray]]:
        state, values = _forward(step, turn, state, given)
        return turn + 1, state, [a.write(turn - first, value) for a, value in zip(arrays, values, strict=True)]

    start = (tf.constant(first), state, arrays)
    _, state, arrays = tf.while_loop(lambda turn, *_: turn < turns.stop, ahead, start, maximum_iterations=len(turns))
    return state, arrays


def _backward_loop(
    step: Function, turns: range, saved: list[tf.TensorArray], upstream: Tensor, given: Sequence[Tensor]
) -> list[Tensor]:
    """The gradients of the first state and of `given`, summed over the turns."""
    first = turns.start

    def back(turn: Tensor, upstream: Tensor, sums: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        values = [array.read(turn - first) for array in saved]
        upstream, *found = _backward(step, turn, values, upstream, given)
        return turn - 1, upstream, [one + other for one, other in zip(sums, found, strict=True)]

    start = (tf.constant(turns.stop - 1), upstream, [tf.zeros_like(value) for value in given])
    _, upstream, sums = tf.while_loop(lambda turn, *_: turn >= first, back, start, maximum_iterations=len(turns))
    return [upstream, *sums]


def _forward(step: Function, turn: Tensor, state: Tensor, given: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """The next state, and what a turn saves: the state before it, and what the step marks as saveable."""
    values = [state]

    def save(function: Function, *inputs: Tensor) -> Tensor:
        values.append(function(*inputs))
        return values[-1]

    with _saving(save):
        return step(turn, state, *given), values


def _backward(
    step: Function, turn: Tensor, values: list[Tensor], upstream: Tensor, given: Sequence[Tensor]
) -> list[Tensor]:
    """The gradients of the state before a turn and of `given`."""
    state, *rest = values
    saved = iter(rest)
    with _saving(lambda function, *inputs: _restored(next(saved), function, *inputs)), tf.GradientTape() as tape:
        tape.watch([state, *given])
        after = step(turn, state, *given)
    return tape.gradient(after, [state, *given], upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO)


@contextlib.contextmanager
def _saving(save: Save) -> Iterator[None]:
    token = _save.set(save)
    try:
        yield
    finally:
        _save.reset(token)


def _restored(value: Tensor, function: Function, *inputs: Tensor) -> Tensor:
    """`value`, with the gradient of `function(*inputs)`, which it is."""

    @tf.custom_gradient
    def restored(*inputs: Tensor) -> tuple[Tensor, Function]:
        def gradient(upstream: Tensor) -> list[Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                again = function(*inputs)
            return tape.gradient(again, inputs, upstream)

        return tf.identity(value), gradient

    return restored(*inputs)


@tf.custom_gradient
def _once(*gradients: Tensor) -> tuple[tuple[Tensor, ...], Function]:
    """`gradients`, which refuse to be differentiated: what was saved would count as constant."""

    def gradient(*_: Tensor) -> None:
        raise InputError(
            "The looped layers have no second derivative in training under XLA. Received: a gradient of a gradient. "
            "Set `encoder.loops` to False, or compile without XLA."
        )

    return tuple(tf.identity(value) for value in gradients), gradient
