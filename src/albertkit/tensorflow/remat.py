"""A step run in a loop, plainly or so that the backward pass keeps little. Knows nothing of layers.

XLA copies all that the gradient of a loop needs into arrays stacked over its turns. In a lean loop these are the state
before each turn and what the step marks by `kept`; the rest is computed from them again, turn by turn.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from albertkit.errors import InputError

Tensor = Any
Keeper = Callable[..., Tensor]

_keeper: ContextVar[Keeper | None] = ContextVar("keeper", default=None)


def kept(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """`function(*inputs)`, which the backward pass of `lean` does not compute again. Its gradient must not need it."""
    keeper = _keeper.get()
    return function(*inputs) if keeper is None else keeper(function, *inputs)


def plain(step: Callable[..., Tensor], turns: range, state: Tensor, given: Sequence[Tensor]) -> Tensor:
    """The last state, where each is `step(turn, state before it, *given)`. Its gradient is TensorFlow's own."""
    start = (tf.constant(turns.start), state)
    return tf.while_loop(
        lambda turn, _: turn < turns.stop,
        lambda turn, state: (turn + 1, step(turn, state, *given)),
        start,
        maximum_iterations=len(turns),
    )[1]


def lean(step: Callable[..., Tensor], turns: range, state: Tensor, given: Sequence[Tensor]) -> Tensor:
    """What `plain` answers, with a gradient that keeps little, but has no gradient of its own."""
    first, count = turns.start, len(turns)

    def forward(turn: Tensor, state: Tensor, given: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The next state, and what a turn keeps."""
        values = [state]

        def keep(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
            values.append(function(*inputs))
            return values[-1]

        with _keeping(keep):
            return step(turn, state, *given), values

    def backward(turn: Tensor, values: list[Tensor], upstream: Tensor, given: Sequence[Tensor]) -> list[Tensor]:
        """The gradients of the state before a turn and of `given`."""
        state, *rest = values
        known = iter(rest)
        with _keeping(lambda function, *inputs: _known(next(known), function, *inputs)), tf.GradientTape() as tape:
            tape.watch([state, *given])
            after = step(turn, state, *given)
        return tape.gradient(after, [state, *given], upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    @tf.custom_gradient
    def last(state: Tensor, *given: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
        tried = tf.function(lambda: forward(tf.constant(first), state, given)[1], autograph=False)
        specs = tried.get_concrete_function().structured_outputs
        arrays = [tf.TensorArray(spec.dtype, count, element_shape=spec.shape) for spec in specs]

        def ahead(turn: Tensor, state: Tensor, arrays: list[tf.TensorArray]) -> tuple[Tensor, Tensor, Any]:
            state, values = forward(turn, state, given)
            return turn + 1, state, [a.write(turn - first, value) for a, value in zip(arrays, values, strict=True)]

        start = (tf.constant(first), state, arrays)
        _, state, arrays = tf.while_loop(lambda turn, *_: turn < turns.stop, ahead, start, maximum_iterations=count)

        def gradient(upstream: Tensor) -> Any:
            def back(turn: Tensor, upstream: Tensor, sums: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
                values = [array.read(turn - first) for array in arrays]
                upstream, *found = backward(turn, values, upstream, given)
                return turn - 1, upstream, [one + other for one, other in zip(sums, found, strict=True)]

            start = (tf.constant(turns.stop - 1), upstream, [tf.zeros_like(value) for value in given])
            _, upstream, sums = tf.while_loop(lambda turn, *_: turn >= first, back, start, maximum_iterations=count)
            return _once(upstream, *sums)

        return state, gradient

    return last(state, *given)


@contextlib.contextmanager
def _keeping(keeper: Keeper) -> Iterator[None]:
    token = _keeper.set(keeper)
    try:
        yield
    finally:
        _keeper.reset(token)


def _known(value: Tensor, function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """`value`, with the gradient of `function(*inputs)`, which it is."""

    @tf.custom_gradient
    def known(*inputs: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
        def gradient(upstream: Tensor) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                again = function(*inputs)
            return tape.gradient(again, inputs, upstream)

        return tf.identity(value), gradient

    return known(*inputs)


@tf.custom_gradient
def _once(*gradients: Tensor) -> tuple[tuple[Tensor, ...], Callable[..., Any]]:
    """`gradients`, which refuse to be differentiated: what was kept would count as constant."""

    def gradient(*_: Tensor) -> Any:
        raise InputError(
            "The looped layers have no second derivative in training under XLA. Received: a gradient of a gradient. "
            "Set `encoder.loops` to False, or compile without XLA."
        )

    return tuple(tf.identity(value) for value in gradients), gradient
