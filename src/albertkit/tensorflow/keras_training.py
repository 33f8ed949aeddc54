"""TFAlbertTrainable: a Keras model that `fit` trains on its own loss, or on one that `compile` is given."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar, cast

import keras
import tensorflow as tf

from albertkit.errors import InputError, did_you_mean
from albertkit.outputs import ModelOutput
from albertkit.tensorflow import private_api, table_data
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
        model: TFAlbertTrainable = given["self"]
        for name in ("x", "y", "validation_data"):
            if name in given:
                given[name] = _as_dict(given[name])
        x, weighs_classes = given.get("x"), given.get("class_weight") is not None
        is_weighted = given.get("sample_weight") is not None or (weighs_classes and isinstance(x, Mapping))
        if is_weighted and given.get("y") is None:
            given["x"], given["y"] = model._labels_out_of(x)
        if isinstance(held_out, (list, tuple)):
            x, y, weight = keras.utils.unpack_x_y_sample_weight(tuple(map(_as_dict, held_out)))
            if weight is not None and y is None:
                x, y = model._labels_out_of(x)
            given["validation_data"] = (x, y, weight)[: len(held_out)]
        return method(*bound.args, **bound.kwargs)

    return cast(Method, wrapped)


def _for_each_output(metrics: Data, names: tuple[str, ...]) -> Data:
    """Metrics in one list for each of several outputs; what is stated output by output stays."""
    listed = metrics if isinstance(metrics, (list, tuple)) else [metrics]
    if isinstance(metrics, dict) or any(isinstance(metric, (list, tuple, dict)) for metric in listed):
        return metrics
    return {name: [_copied(metric) for metric in listed] for name in names}


def _copied(metric: Data) -> Data:
    """A metric of the same kind that counts by itself."""
    return type(metric).from_config(metric.get_config()) if isinstance(metric, keras.Metric) else metric


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

    def compile(self, *args: Data, **kwargs: Data) -> None:
        """Get ready for `fit`; see keras.Model. Metrics in one list are those of every output, where there are several.

        A loss is optional: without one the model trains on its own.
        """
        for name in ("metrics", "weighted_metrics"):
            if kwargs.get(name) is not None and len(self._label_names) > 1:
                kwargs[name] = _for_each_output(kwargs[name], self._label_names)
        super().compile(*args, **kwargs)

    def compile_from_config(self, config: Data) -> None:
        """Compile a model that is read from a file of Keras, which leaves that to a class with its own `compile`."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def _labels_out_of(self, x: Data) -> tuple[Data, Data]:
        """Inputs without the labels among them, and these as Keras weights them: given as y.

        InputError where there are none.
        """
        labels = {name: x[name] for name in self._label_names if isinstance(x, Mapping) and name in x}
        if not labels:
            wanted = " or ".join(f"`{name}`" for name in self._label_names) or "labels"
            raise InputError(
                "`sample_weight` and `class_weight` weight labels. Received: one of them without y, and no "
                f"{wanted} by name inside x. Pass them as y, or by such a name."
            )
        rest = {name: value for name, value in x.items() if name not in labels}
        return rest, labels if len(self._label_names) > 1 else next(iter(labels.values()))

    def prepare_tf_dataset(
        self,
        dataset: table_data.Table,
        batch_size: int = 8,
        shuffle: bool = True,
        tokenizer: Data = None,
        collate_fn: Callable[[list[dict[str, Data]]], Mapping[str, Data]] | None = None,
        collate_fn_args: Mapping[str, Data] | None = None,
        drop_remainder: bool | None = None,
    ) -> tf.data.Dataset:
        """Batches (x, labels) for `fit` from a table such as a Dataset of the library `datasets`.

        Columns that the model does not take are left out. With a `tokenizer` each batch is padded to its longest row;
        `collate_fn` makes a batch in another way. `drop_remainder` leaves out the last rows that fill no batch: by
        default where `shuffle`. InputError where no column is an input of the model, or rows are of several lengths.
        """
        collate = functools.partial(collate_fn, **(collate_fn_args or {})) if collate_fn else None
        if collate is None and tokenizer is not None:
            collate = table_data.padding_with(tokenizer)
        drop = shuffle if drop_remainder is None else drop_remainder
        inputs = self._input_names()
        return table_data.batches(dataset, inputs, self._label_names, batch_size, shuffle, collate, drop)

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
                    "The own loss of a model is a mean over its labels. Received: weights of rows or classes. "
                    "Give a loss to compile(), such as keras.losses.SparseCategoricalCrossentropy(from_logits=True)."
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
