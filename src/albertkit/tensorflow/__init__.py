"""ALBERT in Keras 3 on TensorFlow: `layers`, `models`, `weights`, `train`, `infer`; needs the extra `tensorflow`."""

import os as _os

_os.environ.setdefault("KERAS_BACKEND", "tensorflow")
_os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # without it every program begins with a page about the machine

_backend = _os.environ["KERAS_BACKEND"]
try:
    import tensorflow as _tensorflow  # noqa: F401  (asked for here so that its absence is answered once)

    try:
        import keras as _keras
    except ImportError:  # where it is told to take another backend, that may lack a package of its own
        if _backend == "tensorflow":
            raise
    else:
        _backend = _keras.backend.backend()
except ImportError:
    from albertkit.errors import MissingDependency

    raise MissingDependency("albertkit.tensorflow", "TensorFlow", "tensorflow") from None

if _backend != "tensorflow":
    from albertkit.errors import AlbertkitError

    raise AlbertkitError(
        f"albertkit.tensorflow needs Keras on TensorFlow. Received: Keras on {_backend}. Set the environment variable "
        "KERAS_BACKEND=tensorflow before anything imports keras, or use albertkit.torch or albertkit.flax."
    )
