"""TFAlbertTrainable: a Keras model that `fit` trains on its own loss, or on one that `compile` is given."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar, cast

import keras

from albertkit.errors import InputError, did_you_mean
from albertkit.outputs import ModelOutput
from albertkit.tensorflow import private_api
from albertkit.tensorflow.module import TFAlbertModule
from albertkit.tensorflow.typing import Data, Tensor

Method = TypeVar("Method", bound=Callable)


def _taking_encodings(method: Method) -> Method:
    """A method of keras.Model that also takes what a tokenizer answers with: a mapping that is no dict."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def wrapped(*args: Data, **kwargs: Data) -> Data:
        bound = signature.bind(*args, **kwargs)
        given = bound.arguments
        held_out = given.get("validation_data")
        batches = [(given.get("x"), given.get("y"), given.get("sample_weight"))]
        batches += [keras.utils.unpack_x_y_sample_weight(held_out)] if isinstance(held_out, (list, tuple)) else []
        if any(y is None and sample_weight is not None for _, y, sample_weight in batches):
            raise InputError("Keras weights labels that are given as y. Received: sample_weight without y.")
        for name in ("x", "y", "validation_data"):
            if name in given:
                given[name] = _as_dict(given[name])
        if isinstance(held_out, (list, tuple)):
            given["validation_data"] = tuple(map(_as_dict, held_out))
        return method(*bound.args, **bound.kwargs)

    return cast(Method, wrapped)


def _as_dict(value: Data) -> Data:
    """Data mapping as a dict, the only one that Keras knows."""
    return dict(value) if isinstance(value, Mapping) else value


class TFAlbertTrainable(TFAlbertModule):
    """A model whose `compile` without a loss trains on the model's own, with labels inside x or given as y."""

    _label_names: ClassVar[tuple[str, ...]] = ()
    """The labels of the model's own loss, in the order of the logits that they belong to."""
    _min_labels: ClassVar[int] = 1
    """How many of them that loss needs."""

    fit = _taking_encodings(keras.Model.fit)
    evaluate = _taking_encodings(keras.Model.evaluate)
    predict = _taking_encodings(keras.Model.predict)
    train_on_batch = _taking_encodings(keras.Model.train_on_batch)
    test_on_batch = _taking_encodings(keras.Model.test_on_batch)
    predict_on_batch = _taking_encodings(keras.Model.predict_on_batch)

    def train_step(self, data: Data) -> dict[str, Tensor]:
        """One step of `fit`."""
        return super().train_step(self._with_labels(data))

    def test_step(self, data: Data) -> dict[str, Tensor]:
        """One step of `evaluate`."""
        return super().test_step(self._with_labels(data))

    def predict_step(self, data: Data) -> Data:
        """One step of `predict`, without a loss."""
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return super().predict_step(self._apart(x)[0])

    def compute_loss(
        self, x: Data = None, y: Data = None, y_pred: Data = None, sample_weight: Data = None, training: bool = True
    ) -> Tensor:
        """The loss given to `compile`, of the logits alone; without one, the model's own, a float32 scalar.

        InputError where there is neither.
        """
        if private_api.has_compiled_loss(self):
            return super().compute_loss(x, y, self._logits(y_pred), sample_weight, training)
        if not isinstance(y_pred, (ModelOutput, tuple, list)):
            raise InputError(
                f"Without a loss in compile(), a model must answer with its own. Received: {type(self).__name__}, "
                f"which answers with one {type(y_pred).__name__}. Give it a loss there."
            )
        loss = y_pred["loss"] if isinstance(y_pred, ModelOutput) else y_pred[0]
        return private_api.with_added_losses(self, loss)

    def compute_metrics(self, x: Data, y: Data, y_pred: Data, sample_weight: Data = None) -> dict[str, Tensor]:
        """The metrics given to `compile`, of the logits alone."""
        logits = self._logits(y_pred, has_loss=not private_api.has_compiled_loss(self))
        return super().compute_metrics(x, y, logits, sample_weight)

    def _apart(self, x: Data) -> tuple[dict[str, Data], dict[str, Data]]:
        """Inputs by name, without labels; and the labels that were among them."""
        given = {name: value for name, value in self._inputs_by_name((x,), {}).items() if value is not None}
        labels = {name: given.pop(name) for name in self._label_names if name in given}
        return given, labels

    def _with_labels(self, data: Data) -> tuple[Data, Data, Data]:
        """A batch with its labels where its loss needs them: among the inputs for the model's own, else as targets."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        x, labels = self._apart(x)
        if isinstance(y, Mapping):
            self._require_known(y)
            labels |= y
        elif y is not None and self._label_names:
            labels |= zip(self._label_names, y if isinstance(y, (list, tuple)) else [y], strict=False)
        if not private_api.has_compiled_loss(self):
            if len(labels) < self._min_labels:
                wanted = " and ".join(f"`{name}`" for name in self._label_names) or "none, for it has no head"
                raise InputError(
                    f"The own loss of {type(self).__name__} needs labels. Received: {', '.join(labels) or 'none'}. "
                    f"Give them as y or inside x ({wanted}), or give a loss to compile()."
                )
            if sample_weight is not None:
                raise InputError(
                    "The own loss of a model is a mean over its labels. Received: sample_weight. Give a loss to "
                    "compile(), such as keras.losses.SparseCategoricalCrossentropy(from_logits=True)."
                )
            x |= labels
        if labels:
            y = labels if len(self._label_names) > 1 else next(iter(labels.values()))
        return x, y, sample_weight

    def _require_known(self, labels: Mapping[str, Data]) -> None:
        """InputError for labels under names that the model does not take them by."""
        # A model that someone else wrote may take any of its inputs for a label.
        known = self._label_names or tuple(self._input_names())
        wrong = [name for name in labels if name not in known]
        if wrong and (self._label_names or not private_api.has_compiled_loss(self)):
            raise InputError(
                f"Labels that {type(self).__name__} is given by name must be among: {', '.join(known)}. Received: "
                f"{', '.join(wrong)}.{did_you_mean(wrong[0], known)}"
            )

    def _logits(self, y_pred: Data, has_loss: bool = False) -> Data:
        """What losses and metrics compare with the labels: the logits, by label where there are several labels."""
        if isinstance(y_pred, ModelOutput):
            y_pred = [value for name, value in y_pred.items() if name != "loss"]
        elif not isinstance(y_pred, (tuple, list)):
            return y_pred  # of a model that someone else wrote
        elif has_loss:
            y_pred = y_pred[1:]
        return y_pred[0] if len(self._label_names) < 2 else dict(zip(self._label_names, y_pred, strict=False))
