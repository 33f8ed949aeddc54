"""ALBERT in Keras 3 on TensorFlow: `layers`, `models`, `weights`, `train`, `infer`; needs the extra `tensorflow`."""

import os as _os

_os.environ.setdefault("KERAS_BACKEND", "tensorflow")
_os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # without it every program begins with a page about the machine

try:
    import keras as _keras
    import tensorflow as _tensorflow  # noqa: F401  (asked for here so that its absence is answered once)
except ImportError:
    from albertkit.errors import MissingDependency

    raise MissingDependency("albertkit.tensorflow", "TensorFlow", "tensorflow") from None

if _keras.backend.backend() != "tensorflow":
    from albertkit.errors import AlbertkitError

    raise AlbertkitError(
        f"albertkit.tensorflow needs Keras on TensorFlow. Received: Keras on {_keras.backend.backend()}. Set the "
        "environment variable KERAS_BACKEND=tensorflow before anything imports keras, or use albertkit.torch or "
        "albertkit.flax."
    )
