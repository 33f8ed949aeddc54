"""The encoder in training by the compiled library: NumPy arrays in and out, weights as they are, float32.

Letters: S sequences, T tokens, P tokens that are wanted, E embedding size, H hidden size.
"""

import ctypes
import weakref
from collections.abc import Sequence
from typing import Self

import numpy as np

from albertkit import rules, weight_table
from albertkit.backends import Precision
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.kernels import encoder, library

MAPPING = tuple(f"embedding_hidden_mapping_in.{part}" for part in ("weight", "bias"))
_LAYERS = ("attention.query", "attention.key", "attention.value", "attention.dense", "attention.LayerNorm", "ffn")
_PARTS = tuple(
    f"{name}.{part}" for name in (*_LAYERS, "ffn_output", "full_layer_layer_norm") for part in ("weight", "bias")
)
_POINTER, _INT = ctypes.c_void_p, ctypes.c_int32


def names(config: AlbertConfig) -> list[str]:
    """The weights of an encoder in the order of the library; canonical but for `albert.encoder.` in front."""
    places = [(group, inner) for group in range(config.num_hidden_groups) for inner in range(config.inner_group_num)]
    prefixes = ["albert_layer_groups.{}.albert_layers.{}".format(*place) for place in places]
    return [*MAPPING, *(f"{prefix}.{part}" for prefix in prefixes for part in _PARTS)]


def shapes(config: AlbertConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of these weights."""
    known = weight_table.expected(config, "Model")
    return {name: known[f"albert.encoder.{name}"] for name in names(config)}


def can_train(config: AlbertConfig, precision: Precision) -> bool:
    """Whether the library is there and trains such an encoder, without dropout, on this processor."""
    return library.can_train(precision) and encoder.can_run(config, precision, None)


class _Model(ctypes.Structure):
    _fields_ = (
        ("weights", _POINTER),
        ("layer_of_run", _POINTER),
        *((name, _INT) for name in ("layers", "runs", "embedding", "hidden", "inner", "heads")),
        ("epsilon", ctypes.c_float),
        ("activation", _INT),
    )


class _Room(ctypes.Structure):
    _fields_ = (
        ("kept", _POINTER),
        ("scratch", _POINTER),
        ("kept_size", ctypes.c_int64),
        ("scratch_size", ctypes.c_int64),
    )


class Memory:
    """Lends memory, and keeps what comes back for the next that asks: fresh memory would have to be filled with zeros.

    What is lent comes back when no array of it is left. Copies of this begin with none.
    """

    MOST = 2
    """Pieces that are kept; the smallest go."""

    def __init__(self) -> None:
        self._free: dict[int, np.ndarray] = {}
        """By `id`: of two threads that want a piece, or while garbage is collected, one alone takes it out."""

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        return type(self), ()

    def lend(self, size: int) -> np.ndarray:
        """(size or more,) bytes."""
        whole = self._taken(size)
        if whole is None:
            self._free.clear()  # they are too small: let them go
            whole = np.empty(size, np.uint8)
        # Slices of a slice hold on to the whole alone; those of an array that a buffer became hold on to that.
        buffer = memoryview(whole)  # type: ignore[arg-type]  # arrays are typed as buffers from Python 3.12 on
        lent = np.frombuffer(buffer, np.uint8)
        weakref.finalize(lent, self._take_back, whole).atexit = False
        return lent

    def _taken(self, size: int) -> np.ndarray | None:
        """The smallest piece that is large enough and that nobody else has taken."""
        large = [one for one in self._by_size() if len(one) >= size]
        return next((one for one in large if self._free.pop(id(one), None) is not None), None)

    def _by_size(self) -> list[np.ndarray]:
        return sorted(self._free.copy().values(), key=len)

    def _take_back(self, whole: np.ndarray) -> None:
        self._free[id(whole)] = whole
        for small in self._by_size()[: -self.MOST]:
            self._free.pop(id(small), None)


class EncoderStep:
    """One pass over sequences laid end to end, and back."""

    def __init__(
        self,
        config: AlbertConfig,
        weights: Sequence[np.ndarray],
        precision: Precision,
        threads: int,
        memory: Memory,
        is_kept: bool = True,
    ) -> None:
        """Takes what `can_train` says yes to; `weights` (float32, C order) are in the order of `names`.

        Without `is_kept` there is no way back, and less memory is needed.
        """
        runs = encoder.runs_of(config)
        self._layer_of_run = np.array([group * config.inner_group_num + inner for group, inner in runs], np.int32)
        self._config, self._memory = config, memory
        self._numbers = library.PRECISIONS.index(precision), int(is_kept), threads
        self._model = _Model(
            None,
            self._layer_of_run.ctypes.data,
            config.num_hidden_groups * config.inner_group_num,
            len(runs),
            config.embedding_size,
            config.hidden_size,
            config.intermediate_size,
            config.num_attention_heads,
            config.layer_norm_eps,
            encoder.ACTIVATIONS[config.hidden_act],
        )
        self._find(weights)

    def _find(self, weights: Sequence[np.ndarray]) -> None:
        self._weights, self._places = list(weights), _places(weights)
        self._model.weights = ctypes.cast(self._places, _POINTER)

    def forward(
        self, embeddings: np.ndarray, lengths: np.ndarray, wanted: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As CompiledEncoder: (T, E) float32, lengths (S,), wanted (P,) in rising order or None -> (P or T, H).

        And the bytes that `backward` wants. InputError where lengths or wanted tokens are not those of embeddings.
        """
        self._embeddings = np.ascontiguousarray(embeddings, np.float32)
        self._lengths = np.ascontiguousarray(lengths, np.int32)
        self._wanted = None if wanted is None else np.ascontiguousarray(wanted, np.int32)
        _require_places(self._embeddings, (int(self._lengths.sum()), self._config.embedding_size), self._wanted)
        out = np.empty((len(embeddings if wanted is None else wanted), self._config.hidden_size), np.float32)
        given = (self._embeddings, self._lengths, self._wanted, out)
        places = [None if array is None else array.ctypes.data for array in given]
        self._batch = encoder.Batch(*places, len(embeddings), len(lengths), len(out))
        self._room = _Room()
        self._call("measure_training", *self._numbers, self._room)
        kept = self._memory.lend(self._room.kept_size)
        self._run(kept, "train_forward", *self._numbers)
        return out, kept

    def backward(
        self,
        kept: np.ndarray,
        weights: Sequence[np.ndarray],
        of_states: np.ndarray,
        gradients: Sequence[np.ndarray | None],
    ) -> np.ndarray:
        """The gradient of the states that `forward` gave -> that of the embeddings (T, E).

        The weights are the same as then, but may lie elsewhere by now.
        Adds to `gradients`, float32 in C order and of the weights' shapes, None for those that are not wanted.
        """
        self._find(weights)
        of_states = np.ascontiguousarray(of_states, np.float32)
        of_embeddings = np.empty_like(self._embeddings)
        precision, _, threads = self._numbers
        places = of_states.ctypes.data, of_embeddings.ctypes.data, _places(gradients)
        self._run(kept, "train_backward", *places, precision, threads)
        return of_embeddings

    def _run(self, kept: np.ndarray, name: str, *arguments: object) -> None:
        scratch = self._memory.lend(self._room.scratch_size)
        self._room.kept, self._room.scratch = kept.ctypes.data, scratch.ctypes.data
        self._call(name, *arguments, self._room)

    def _call(self, name: str, *arguments: object) -> None:
        function = getattr(library.load(), f"albertkit_{name}")
        structures = (ctypes.byref(one) for one in (self._model, self._batch))
        function(*structures, *(ctypes.byref(one) if isinstance(one, _Room) else one for one in arguments))


def cross_entropy(scores: np.ndarray, precision: Precision, labels: np.ndarray, threads: int) -> np.ndarray:
    """Scores (M, V), float32 or the bits of bfloat16 as uint16, and labels (M,) integer -> losses (M,) float32.

    The scores become the gradient of the losses' sum. For what `library.can_train` says yes to. InputError for
    labels of another shape, or that are no classes.
    """
    labels = np.ascontiguousarray(labels, np.int64)
    rules.require_labels_array("labels", labels.shape, scores.shape[:1])
    if len(labels):
        rules.require_labels("labels", int(labels.min()), int(labels.max()), scores.shape[1])
    losses = np.empty(len(labels), np.float32)
    number, (rows, classes) = library.PRECISIONS.index(precision), scores.shape
    places = labels.ctypes.data, losses.ctypes.data
    library.load().albertkit_cross_entropy(scores.ctypes.data, number, rows, classes, *places, threads)  # type: ignore[union-attr]  # see above
    return losses


def _require_places(embeddings: np.ndarray, shape: tuple[int, int], wanted: np.ndarray | None) -> None:
    tokens, width = shape
    if embeddings.shape != shape:
        raise InputError(
            f"Embeddings must have the shape ({tokens}, {width}): the sequences have {tokens} tokens together, and the "
            f"embedding size is {width}. Received: {embeddings.shape}. Give those of these sequences alone."
        )
    if wanted is not None and len(wanted) and not 0 <= wanted[0] <= wanted[-1] < tokens:
        raise InputError(
            f"The tokens whose states are wanted must lie in 0..{tokens - 1}. Received: {wanted[0]} to {wanted[-1]}. "
            "Count them from the first token of the first sequence on."
        )


def _places(arrays: Sequence[np.ndarray | None]) -> ctypes.Array[ctypes.c_void_p]:
    return (_POINTER * len(arrays))(*(None if array is None else array.ctypes.data for array in arrays))
