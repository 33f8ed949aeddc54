"""The frameworks as backends of training; each is imported when it is chosen."""

from albertkit.backends import TrainBackend


def train_backend(framework: str) -> TrainBackend:
    """The backend of a framework, by a name that `albertkit.backends.resolve` gives.

    MissingDependency where it is not installed.
    """
    if framework == "torch":
        from albertkit.torch import train as torch_train

        return torch_train
    if framework == "tensorflow":
        from albertkit.tensorflow import train as tensorflow_train

        return tensorflow_train
    from albertkit.flax import train as flax_train

    return flax_train
