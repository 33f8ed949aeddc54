"""One adapter a framework: what the shared tests ask of a model, in NumPy."""

from typing import Any

import numpy as np
import pytest


class Torch:
    """PyTorch."""

    name = "torch"
    prefix = "Albert"

    def __init__(self) -> None:
        self.torch = pytest.importorskip("torch")
        from albertkit.torch import models

        self.models = models

    def build(self, head: str, config: Any, tensors: dict[str, np.ndarray] | None = None) -> Any:
        """A model in training mode, with the given values."""
        from albertkit.torch import weights

        self.torch.manual_seed(0)
        model = getattr(self.models, f"Albert{head}")(config)
        if tensors is not None:
            weights.load(model, model._prefix, config, tensors, "the test")
            model.tie_weights()
        return model.train()

    def arrays(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {key: self.torch.from_numpy(v) if isinstance(v, np.ndarray) else v for key, v in batch.items()}

    def outputs(self, model: Any, batch: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Named outputs as arrays; tuples of arrays stay tuples."""
        with self.torch.no_grad():
            found = model(**self.arrays(batch), **options)
        return {
            key: tuple(v.numpy() for v in value) if isinstance(value, tuple) else value.numpy()
            for key, value in found.items()
        }

    def gradients(self, model: Any, batch: dict[str, Any], loss: Any = None) -> dict[str, np.ndarray]:
        """Gradients of the loss by neutral name; `loss` makes one of the outputs where the model has none."""
        model.zero_grad()
        found = model(**self.arrays(batch))
        (found.loss if loss is None else loss(found)).backward()
        named = ((model._prefix + name, p.grad) for name, p in model.named_parameters())
        return {name: gradient.numpy() for name, gradient in named if gradient is not None}

    def tensors(self, model: Any) -> dict[str, np.ndarray]:
        """Values by neutral name."""
        from albertkit.torch import weights

        return weights.extract(model, model._prefix)

    def load(self, head: str, folder: Any, **options: Any) -> Any:
        return getattr(self.models, f"Albert{head}").from_pretrained(folder, **options)


ROOMS = {"torch": Torch}
