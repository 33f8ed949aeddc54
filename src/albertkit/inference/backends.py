"""What answers: the frameworks, and runtimes that have no models of their own. Each is imported when it is chosen."""

from albertkit.backends import FrameworkBackend


def infer_backend(name: str) -> FrameworkBackend:
    """The backend of a framework, by a name that `albertkit.backends.resolve` gives.

    MissingDependency where it is not installed.
    """
    if name == "torch":
        from albertkit.torch import infer as torch_infer

        return torch_infer
    if name == "tensorflow":
        from albertkit.tensorflow import infer as tensorflow_infer

        return tensorflow_infer
    from albertkit.flax import infer as flax_infer

    return flax_infer
