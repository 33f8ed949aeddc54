"""An exponential moving average (EMA) of the weights, which is evaluated and kept in their place."""

from albertkit.arrays import Tensors


class MovingAverage:
    """The average after each update: short at first, of the given decay later.

    The decay of update n, counted from 1, is min(decay, (1 + n) / (10 + n)), as TensorFlow's has it; the first update
    takes the weights themselves.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.tensors: Tensors | None = None

    def update(self, tensors: Tensors, step: int) -> None:
        """Move towards the weights of a step, counted from 1, whose arrays may be kept."""
        if self.tensors is None:
            self.tensors = tensors
            return
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, mean in self.tensors.items():
            mean += (1 - decay) * (tensors[name] - mean)
