"""The encoder by the compiled library: NumPy arrays in and out; the weights of a layer are packed once.

Letters: S sequences, T tokens, P tokens that are wanted, E embedding size, H hidden size, K inputs and N outputs of a
product.
"""

import ctypes
from collections.abc import Callable, Sequence

import ml_dtypes
import numpy as np

from albertkit import rules
from albertkit.backends import InferPrecision
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, abbreviate
from albertkit.kernels import library
from albertkit.quantization import MAPPING, SITES, Largest, Quantization, quantized_weight

ACTIVATIONS = {"gelu": 0, "gelu_new": 1, "gelu_pytorch_tanh": 1, "gelu_fast": 1, "relu": 2}
"""Those that the library computes, by `hidden_act`, and their numbers there."""
ZERO = 128
"""The byte that stands for 0 in an input."""
STEPS = 127
"""The bytes of an input up to its largest magnitude."""
PANEL = 32
"""Sizes are multiples of it: of the outputs that are computed together at any level."""

Weight = Callable[[str], np.ndarray]
"""The float32 weight of a name that is canonical, but for `albert.encoder.` or `albert.embeddings.` in front."""

_NO_MEMORY = 1
"""What the library says then, for one; another number says that lengths and tokens do not fit each other."""
_TABLES = ("word", "token_type", "position")
_IDS = ("input_ids", "token_type_ids", "position_ids")
_POINTER, _INT = ctypes.c_void_p, ctypes.c_int32


class _Product(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("weight", "offset", "scale", "bias", "smoothing", "steps")),
        ("inputs", _INT),
        ("outputs", _INT),
    )


class _Norm(ctypes.Structure):
    _fields_ = (("weight", _POINTER), ("bias", _POINTER))


class _Layer(ctypes.Structure):
    _fields_ = (*((site, _Product) for site in SITES), ("attention_norm", _Norm), ("final_norm", _Norm))


class _Model(ctypes.Structure):
    _fields_ = (
        ("mapping", _Product),
        ("layers", ctypes.POINTER(_Layer)),
        ("layer_of_run", _POINTER),
        *((name, _INT) for name in ("runs", "hidden", "inner", "heads")),
        ("epsilon", ctypes.c_float),
        ("activation", _INT),
    )


class _Embeddings(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("words", "types", "positions")),
        ("norm", _Norm),
        ("width", _INT),
        ("epsilon", ctypes.c_float),
        *((f"of_{name}", _INT) for name in ("words", "types", "positions")),
    )


class Batch(ctypes.Structure):
    """Some sequences, laid end to end; see model.h."""

    _fields_ = (
        *((name, _POINTER) for name in ("embeddings", "lengths", "wanted", "out")),
        *((name, _INT) for name in ("tokens", "sequences", "outputs")),
    )


def can_run(config: AlbertConfig, precision: InferPrecision, quantization: Quantization | None) -> bool:
    """Whether the library is there and computes such an encoder on this processor, every product in that precision."""
    sizes = config.embedding_size, config.hidden_size, config.intermediate_size
    known = [] if quantization is None else [site for layer in quantization.layers for site in layer.values()]
    return (
        library.has_precision(precision)
        and config.hidden_act in ACTIVATIONS
        and not any(size % PANEL for size in (*sizes, config.hidden_size // config.num_attention_heads))
        and not (quantization is not None and "float" in (quantization.mapping, *known))
    )


def runs_of(config: AlbertConfig) -> list[tuple[int, int]]:
    """The group, and the layer in it, of each run of a layer."""
    return [(group, inner) for group in config.group_of_layer for inner in range(config.inner_group_num)]


class _Kept:
    """Holds the arrays that the library is told the places of."""

    def __init__(self) -> None:
        self._kept: list[np.ndarray] = []

    def _place(self, values: np.ndarray, dtype: type[np.generic] | None = None) -> int:
        """Where values lie; they stay there as long as this object does."""
        array = np.ascontiguousarray(values, dtype)
        self._kept.append(array)
        return array.ctypes.data

    def _norm(self, weight: Weight, name: str) -> _Norm:
        return _Norm(*(self._place(weight(f"{name}.{part}"), np.float32) for part in ("weight", "bias")))


class CompiledEmbeddings(_Kept):
    """Sums of word, type and position embeddings, normalised, where the library computes an encoder."""

    def __init__(self, config: AlbertConfig, weight: Weight, level: library.Level | None = None) -> None:
        """`weight` gives those that are canonical, without `albert.embeddings.` in front. `level` as of the encoder."""
        super().__init__()
        self._level = library.LEVELS.index(level or library.levels("fp32")[0])
        tables = [weight(f"{name}_embeddings.weight") for name in _TABLES]
        self._rows = tuple(len(table) for table in tables)
        places = (self._place(table, np.float32) for table in tables)
        norm, width, epsilon = self._norm(weight, "LayerNorm"), config.embedding_size, config.layer_norm_eps
        self._tables = _Embeddings(*places, norm, width, epsilon, *self._rows)

    def __call__(self, words: np.ndarray, types: np.ndarray | None, positions: np.ndarray) -> np.ndarray:
        """(T,) integers each; types default to 0 -> (T, E) float32. TokenIdError for one that is not in its table."""
        given = [None if one is None else np.ascontiguousarray(one, np.int64) for one in (words, types, positions)]
        out = np.empty((len(words), self._tables.width), np.float32)
        places = [None if one is None else one.ctypes.data for one in given]
        tables, found = ctypes.byref(self._tables), out.ctypes.data
        failure = library.load().albertkit_embed(self._level, tables, *places, len(out), found)  # type: ignore[union-attr]  # `can_run` found it
        if failure:
            for name, ids, rows in zip(_IDS, given, self._rows, strict=True):
                if ids is not None:
                    rules.require_ids(name, int(ids.min()), int(ids.max()), rows)
        return out


class CompiledEncoder(_Kept):
    """Sequences laid end to end through all layers; one may be called from several threads."""

    def __init__(
        self,
        config: AlbertConfig,
        weight: Weight,
        precision: InferPrecision,
        quantization: Quantization | None = None,
        level: library.Level | None = None,
    ) -> None:
        """Takes what `can_run` says yes to. int8 wants to know what the inputs of products are like.

        `level` is one of `library.levels(precision)`, by default the fastest.
        """
        super().__init__()
        self._precision: InferPrecision = precision
        self.level: library.Level = level or library.levels(precision)[0]
        self._panel = library.panel(self.level, precision)
        self._quantization, self._hidden = quantization, config.hidden_size
        runs = runs_of(config)
        layers = sorted(set(runs))
        self._model = _Model(
            self._product(weight(f"{MAPPING}.weight"), weight(f"{MAPPING}.bias"), MAPPING),
            (_Layer * len(layers))(*(self._layer(one, weight) for one in layers)),
            self._place(np.array([layers.index(one) for one in runs], np.int32)),
            len(runs),
            config.hidden_size,
            config.intermediate_size,
            config.num_attention_heads,
            config.layer_norm_eps,
            ACTIVATIONS[config.hidden_act],
        )

    def __call__(
        self, embeddings: np.ndarray, lengths: Sequence[int] | np.ndarray, wanted: np.ndarray | None, threads: int
    ) -> np.ndarray:
        """(T, E) float32 of sequences of these `lengths` (S,) -> their last hidden states (T, H) float32.

        Of `wanted` (P,) integers in rising order, tokens from the first of all on, they are computed alone: (P, H).
        """
        embeddings, lengths = np.ascontiguousarray(embeddings, np.float32), np.ascontiguousarray(lengths, np.int32)
        wanted = None if wanted is None else np.ascontiguousarray(wanted, np.int32)
        out = np.empty((len(embeddings if wanted is None else wanted), self._hidden), np.float32)
        places = [None if array is None else array.ctypes.data for array in (embeddings, lengths, wanted, out)]
        batch = Batch(*places, len(embeddings), len(lengths), len(out))
        level, number = library.LEVELS.index(self.level), library.PRECISIONS.index(self._precision)
        model, given = ctypes.byref(self._model), ctypes.byref(batch)
        failure = library.load().albertkit_encode(level, model, given, number, threads)  # type: ignore[union-attr]  # `can_run` found it
        if failure == _NO_MEMORY:
            raise MemoryError(f"There is no memory for the states of {len(embeddings)} tokens.")
        if failure:
            listed = [None if one is None else abbreviate(one.tolist()) for one in (lengths, wanted)]
            raise InputError(
                "Lengths of sequences must be at least 1 and add up to the number of tokens, and what is wanted be "
                f"some of these in rising order. Received: {len(embeddings)} tokens, lengths {listed[0]}, wanted "
                f"{listed[1]}. Pass those of the same sequences."
            )
        return out

    def _layer(self, place: tuple[int, int], weight: Weight) -> _Layer:
        prefix = "albert_layer_groups.{}.albert_layers.{}".format(*place)

        def product(site: str, *names: str) -> _Product:
            both = [[weight(f"{prefix}.{name}.{part}") for name in names] for part in ("weight", "bias")]
            return self._product(np.concatenate(both[0]), np.concatenate(both[1]), site)

        return _Layer(
            product(SITES[0], *(f"attention.{name}" for name in ("query", "key", "value"))),
            product("dense", "attention.dense"),
            product("ffn", "ffn"),
            product("ffn_output", "ffn_output"),
            self._norm(weight, f"{prefix}.attention.LayerNorm"),
            self._norm(weight, f"{prefix}.full_layer_layer_norm"),
        )

    def _product(self, weight: np.ndarray, bias: np.ndarray, site: str) -> _Product:
        """The product of a weight (N, K) and a bias (N,)."""
        known = self._known(weight, site)
        numbers = known.pop("numbers")
        outputs, inputs = weight.shape
        rows, columns = self._panel
        panels = numbers.reshape(outputs // rows, rows, inputs // columns, columns).swapaxes(1, 2)
        places = {name: self._place(values) for name, values in known.items()}
        return _Product(
            weight=self._place(panels), bias=self._place(bias, np.float32), inputs=inputs, outputs=outputs, **places
        )

    def _known(self, weight: np.ndarray, site: str) -> dict[str, np.ndarray]:
        """The `numbers` of a weight (N, K) in this precision, and what else the library wants to know of them."""
        if self._quantization is None:
            return {"numbers": weight.astype(np.float32 if self._precision == "fp32" else ml_dtypes.bfloat16)}
        smoothing = self._quantization.smoothing.get(site)
        numbers, scale = quantized_weight(weight if smoothing is None else weight * smoothing, STEPS)
        known = {
            "numbers": numbers,
            "offset": -ZERO * numbers.sum(1, dtype=np.int32),
            "scale": scale.astype(np.float32),
            "steps": np.array([_step(one) for one in self._quantization.of(site)], np.float32),
        }
        return known if smoothing is None else known | {"smoothing": (1 / smoothing).astype(np.float32)}


def _step(largest: Largest) -> float:
    """What a byte of an input is worth; 0 where that is found for each token."""
    return 0.0 if isinstance(largest, str) else largest / STEPS
