"""The format SavedModel, written and answered by TensorFlow: a folder with the graph and the weights."""

from collections.abc import Sequence
from pathlib import Path

from albertkit.arrays import Tensors
from albertkit.backends import Forward, Outputs
from albertkit.batches import PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.exports import base
from albertkit.exports.base import Written

FOLDER = "saved-model"
FILE = f"{FOLDER}/saved_model.pb"
"""The file by which TensorFlow knows such a folder."""


class SavedModel:
    """Folders of TensorFlow, for TensorFlow Serving, and for TensorFlow in any language."""

    name = "saved-model"
    title = "SavedModel"
    extra = "tensorflow"
    precisions: tuple[str, ...] = ("fp32",)
    needs_trust = True

    def require_installed(self, precision: str | None) -> None:
        """MissingDependency without tensorflow."""
        base.require_packages(self, "tensorflow")

    def write(
        self,
        config: AlbertConfig,
        head: str,
        tensors: Tensors,
        folder: Path,
        precision: str,
        samples: Sequence[PaddedBatch],
    ) -> Written:
        """Write the folder. Nothing is measured, so `samples` are not read."""
        import tensorflow as tf

        from albertkit.exports.to_saved_model import graph

        graph.save(config, head, tensors, folder / FOLDER)
        signature = tf.saved_model.load(str(folder / FOLDER)).signatures[graph.SIGNATURE]
        weights, products = graph.counted(folder / FOLDER, signature)
        written = sorted(path for path in (folder / FOLDER).rglob("*") if path.is_file())
        return Written(FILE, tuple(path.relative_to(folder).as_posix() for path in written), weights, products, 0)

    def compile(self, file: Path, config: AlbertConfig, head: str, device: str | None = None) -> Forward:
        """The forward pass by TensorFlow, on its first GPU where there is one, or on a device such as "cpu"."""
        import tensorflow as tf

        from albertkit.exports.to_saved_model.graph import SIGNATURE
        from albertkit.tensorflow.infer import require_device

        place = require_device(device)
        with tf.device(place):
            loaded = tf.saved_model.load(str(file.parent))

        def run(given: Tensors) -> Outputs:
            with tf.device(place):
                found = loaded.signatures[SIGNATURE](**{name: tf.constant(array) for name, array in given.items()})
            return {name: value.numpy() for name, value in found.items()}

        return base.forward(config, head, run)
