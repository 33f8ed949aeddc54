"""What answers: the frameworks, and NumPy, which has no models of its own. Each is imported when it is chosen."""

from collections.abc import Sequence

from albertkit import hub
from albertkit.backends import FrameworkBackend, InferBackend
from albertkit.checkpoint import layout
from albertkit.quantization import QUANTIZATION_FILE
from albertkit.typing import Json

FEW = 2000
"""Characters of texts that NumPy has answered before a framework is imported, in models of any size."""


def for_texts(texts: Sequence[str], model: Json, framework: str | None, **others: Json) -> str | None:
    """The framework that is named, or numpy where none is and the import of one takes longer than the answers.

    That is so for a few short texts and a folder of weights in float32: one that was made for int8 answers in it.
    `others` are a device, a precision and whatever else asks for a framework if it is not None.
    """
    is_open = framework in (None, "auto") and all(value is None for value in others.values())
    if not is_open or not texts or sum(map(len, texts)) > FEW:
        return framework
    folder = hub.present_folder(model) or hub.local_path(model)
    has_weights = any((folder / name).is_file() for name in layout.SINGLE)
    return "numpy" if has_weights and not (folder / QUANTIZATION_FILE).exists() else framework


def infer_backend(name: str) -> InferBackend:
    """What answers under a name that `albertkit.backends.resolve_for_answers` gives.

    MissingDependency where it is not installed.
    """
    if name == "numpy":
        from albertkit.numpy import infer as numpy_infer

        return numpy_infer
    return framework_backend(name)


def framework_backend(name: str) -> FrameworkBackend:
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
