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
            weights.load(model, model.checkpoint_prefix, config, tensors, "the test")
            model.tie_weights()
        return model.train()

    def evaluating(self, model: Any) -> Any:
        """The model in evaluation mode: without dropout."""
        return model.eval()

    def arrays(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A batch as the framework takes it."""
        return {key: self.torch.from_numpy(v) if isinstance(v, np.ndarray) else v for key, v in batch.items()}

    def numpy(self, value: Any) -> np.ndarray:
        return value.detach().numpy()

    def call(self, model: Any, batch: dict[str, Any], **options: Any) -> Any:
        """What the model itself answers, in the mode that it is in."""
        return model(**self.arrays(batch), **options)

    def outputs(self, model: Any, batch: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Named outputs as arrays; tuples of arrays stay tuples."""
        with self.torch.no_grad():
            found = model(**self.arrays(batch), **options)
        return {
            key: tuple(v.numpy() for v in value) if isinstance(value, tuple) else value.numpy()
            for key, value in found.items()
        }

    def gradients(self, model: Any, batch: dict[str, Any], loss: Any = None) -> dict[str, np.ndarray]:
        """Gradients of the loss by canonical name; `loss` makes one of the outputs where the model has none."""
        model.zero_grad()
        found = model(**self.arrays(batch))
        (found.loss if loss is None else loss(found)).backward()
        named = ((model.checkpoint_prefix + name, p.grad) for name, p in model.named_parameters())
        return {name: gradient.numpy() for name, gradient in named if gradient is not None}

    def tensors(self, model: Any) -> dict[str, np.ndarray]:
        """Values by canonical name."""
        from albertkit.torch import weights

        return weights.extract(model, model.checkpoint_prefix)

    def load(self, head: str, folder: Any, **options: Any) -> Any:
        return getattr(self.models, f"Albert{head}").from_pretrained(folder, **options)

    def save(self, model: Any, folder: Any) -> None:
        model.save_pretrained(folder)

    def linear(self, inputs: int, outputs: int) -> Any:
        """A dense layer such as a person may put in the place of one of a model."""
        return self.torch.nn.Linear(inputs, outputs)

    def embedding(self, rows: int, width: int) -> Any:
        return self.torch.nn.Embedding(rows, width)

    def class_with(self, attribute: str, head: str = "Model") -> Any:
        """A person's own class, with a model inside under a name of its own: an encoder, or one with a head."""
        models, linear = self.models, self.torch.nn.Linear

        class Own(models.AlbertPreTrainedModel):
            def __init__(self, config: Any) -> None:
                super().__init__(config)
                setattr(self, attribute, getattr(models, f"Albert{head}")(config))
                self.head = linear(config.hidden_size, 3)
                self.post_init()

        return Own


class _Mode:
    """A Keras model and whether it is called in training: a switch of the model elsewhere, an argument here."""

    def __init__(self, model: Any, training: bool) -> None:
        self.model, self.training = model, training

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.model(*args, training=self.training, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


class TensorFlow:
    """Keras on TensorFlow."""

    name = "tensorflow"
    prefix = "TFAlbert"

    def __init__(self) -> None:
        pytest.importorskip("albertkit.tensorflow", exc_type=ImportError)
        from albertkit.tensorflow import models

        self.models = models

    def build(self, head: str, config: Any, tensors: dict[str, np.ndarray] | None = None) -> Any:
        """A model in training mode, with the given values."""
        import keras

        from albertkit.tensorflow import weights

        keras.utils.set_random_seed(0)
        model = getattr(self.models, f"TFAlbert{head}")(config)
        if tensors is not None:
            weights.load(model, model.checkpoint_prefix, config, tensors, "the test")
        return _Mode(model, True)

    def evaluating(self, model: Any) -> Any:
        """The model in evaluation mode: without dropout."""
        return _Mode(model.model, False)

    def arrays(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A batch as the framework takes it."""
        return batch

    def numpy(self, value: Any) -> np.ndarray:
        return value.numpy()

    def call(self, model: Any, batch: dict[str, Any], **options: Any) -> Any:
        """What the model itself answers, in the mode that it is in."""
        return model(**batch, **options)

    def outputs(self, model: Any, batch: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Named outputs as arrays; tuples of arrays stay tuples."""
        return {
            key: tuple(v.numpy() for v in value) if isinstance(value, tuple) else value.numpy()
            for key, value in model(**batch, **options).items()
        }

    def gradients(self, model: Any, batch: dict[str, Any], loss: Any = None) -> dict[str, np.ndarray]:
        """Gradients of the loss by canonical name; `loss` makes one of the outputs where the model has none."""
        import tensorflow as tf

        from albertkit import weight_table
        from albertkit.tensorflow import weights

        tied = weight_table.tied(model.config)
        places = {n: p for n, p in weights.canonical(model.model, model.checkpoint_prefix).items() if n not in tied}
        with tf.GradientTape() as tape:
            found = model(**batch)
            value = found.loss if loss is None else loss(found)
        gradients = tape.gradient(value, [place.variable.value for place in places.values()])
        return {
            name: tf.convert_to_tensor(gradient).numpy().T
            if place.is_transposed
            else tf.convert_to_tensor(gradient).numpy()
            for (name, place), gradient in zip(places.items(), gradients, strict=True)
            if gradient is not None
        }

    def tensors(self, model: Any) -> dict[str, np.ndarray]:
        """Values by canonical name."""
        from albertkit.tensorflow import weights

        return weights.extract(getattr(model, "model", model), model.checkpoint_prefix)

    def load(self, head: str, folder: Any, **options: Any) -> Any:
        return _Mode(getattr(self.models, f"TFAlbert{head}").from_pretrained(folder, **options), False)

    def save(self, model: Any, folder: Any) -> None:
        model.save_pretrained(folder)

    def linear(self, inputs: int, outputs: int) -> Any:
        """A dense layer such as a person may put in the place of one of a model."""
        import keras

        return keras.layers.Dense(outputs)

    def embedding(self, rows: int, width: int) -> Any:
        import keras

        return keras.layers.Embedding(rows, width)

    def class_with(self, attribute: str, head: str = "Model") -> Any:
        """A person's own class, with a model inside under a name of its own: an encoder, or one with a head."""
        import keras

        models = self.models

        class Own(models.TFAlbertPreTrainedModel):
            def __init__(self, config: Any) -> None:
                super().__init__(config)
                setattr(self, attribute, getattr(models, f"TFAlbert{head}")(config))
                self.head = keras.layers.Dense(3)
                self.post_init()

            def call(self, input_ids: Any) -> Any:
                return self.head(getattr(self, attribute)(input_ids)[0])

        return Own


class Flax:
    """Flax on JAX."""

    name = "flax"
    prefix = "FlaxAlbert"

    def __init__(self) -> None:
        pytest.importorskip("albertkit.flax", exc_type=ImportError)
        from albertkit.flax import models

        self.models = models

    def build(self, head: str, config: Any, tensors: dict[str, np.ndarray] | None = None) -> Any:
        """A model in training mode, with the given values."""
        from albertkit.flax import weights

        model = getattr(self.models, f"FlaxAlbert{head}")(config)
        if tensors is not None:
            weights.load(model, model.checkpoint_prefix, config, tensors, "the test")
        model.train()
        return model

    def evaluating(self, model: Any) -> Any:
        """The model in evaluation mode: without dropout."""
        model.eval()
        return model

    def arrays(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A batch as the framework takes it."""
        return batch

    def numpy(self, value: Any) -> np.ndarray:
        return np.asarray(value)

    def call(self, model: Any, batch: dict[str, Any], **options: Any) -> Any:
        """What the model itself answers, in the mode that it is in."""
        return model(**batch, **options)

    def outputs(self, model: Any, batch: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Named outputs as arrays; tuples of arrays stay tuples."""
        return {
            key: tuple(np.asarray(v) for v in value) if isinstance(value, tuple) else np.asarray(value)
            for key, value in model(**batch, **options).items()
        }

    def gradients(self, model: Any, batch: dict[str, Any], loss: Any = None) -> dict[str, np.ndarray]:
        """Gradients of the loss by canonical name; `loss` makes one of the outputs where the model has none."""
        from flax import nnx

        from albertkit import weight_table
        from albertkit.flax import weights

        def value(model: Any) -> Any:
            found = model(**batch)
            return found.loss if loss is None else loss(found)

        definition, _, rest = nnx.split(model, nnx.Param, ...)
        # The gradient has the form of the model, so it is read as one.
        gradient = nnx.merge(definition, nnx.grad(value)(model), rest)
        tied = weight_table.tied(model.config)
        places = weights.canonical(gradient, model.checkpoint_prefix)
        return {name: place.read() for name, place in places.items() if name not in tied}

    def tensors(self, model: Any) -> dict[str, np.ndarray]:
        """Values by canonical name."""
        from albertkit.flax import weights

        return weights.extract(model, model.checkpoint_prefix)

    def load(self, head: str, folder: Any, **options: Any) -> Any:
        return getattr(self.models, f"FlaxAlbert{head}").from_pretrained(folder, **options)

    def save(self, model: Any, folder: Any) -> None:
        model.save_pretrained(folder)

    def linear(self, inputs: int, outputs: int) -> Any:
        """A dense layer such as a person may put in the place of one of a model."""
        from flax import nnx

        return nnx.Linear(inputs, outputs, rngs=nnx.Rngs(3))

    def embedding(self, rows: int, width: int) -> Any:
        from flax import nnx

        return nnx.Embed(rows, width, rngs=nnx.Rngs(3))

    def class_with(self, attribute: str, head: str = "Model") -> Any:
        """A person's own class, with a model inside under a name of its own: an encoder, or one with a head."""
        from flax import nnx

        models = self.models

        class Own(models.FlaxAlbertPreTrainedModel):
            def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
                super().__init__(config, *args, **kwargs)
                setattr(self, attribute, getattr(models, f"FlaxAlbert{head}")(config, *args, **kwargs))
                self.head = nnx.Linear(config.hidden_size, 3, rngs=nnx.Rngs(0))
                self.post_init()

        return Own


ADAPTERS = {"torch": Torch, "tensorflow": TensorFlow, "flax": Flax}
