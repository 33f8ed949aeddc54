"""The encoder of ALBERT in NumPy, float32, from tensors by canonical name.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads, D head width.
"""

import os

import numpy as np

from albertkit import processors
from albertkit.arrays import Tensors
from albertkit.backends import InferPrecision
from albertkit.batches import PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.kernels import encoder as kernels
from albertkit.kernels.dense import can_multiply, dense
from albertkit.numpy.activations import ACTIVATIONS
from albertkit.quantization import Quantization


class Weights:
    """Tensors by name with what is computed of them."""

    def __init__(
        self,
        config: AlbertConfig,
        tensors: Tensors,
        precision: InferPrecision = "fp32",
        quantization: Quantization | None = None,
    ) -> None:
        """Tensors in float32 stay where they are, such as in a mapped file; others become it.

        `precision` is that of the encoder, where it is computed by the compiled library.
        """
        self.config = config
        self._tensors = {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}
        self.activation = ACTIVATIONS[config.hidden_act]
        self.threads = threads()
        self.compiled: kernels.CompiledEncoder | None = None
        if kernels.can_run(config, precision, quantization):
            self.compiled = kernels.CompiledEncoder(
                config, lambda name: self[f"albert.encoder.{name}"], precision, quantization
            )

    def __getitem__(self, name: str) -> np.ndarray:
        return self._tensors[name]

    def dense(self, name: str, x: np.ndarray) -> np.ndarray:
        """(..., inputs) -> (..., outputs) of a dense layer, which may have no bias."""
        return self.product(self[f"{name}.weight"], self._tensors.get(f"{name}.bias"), x)

    def product(self, weight: np.ndarray, bias: np.ndarray | None, x: np.ndarray) -> np.ndarray:
        """The same of a weight (outputs, inputs) and a bias."""
        if self.compiled is not None and can_multiply(weight.shape[1]):
            return dense(weight, bias, x, self.threads)
        return x @ weight.T if bias is None else x @ weight.T + bias

    def norm(self, name: str, x: np.ndarray) -> np.ndarray:
        """The norm over the last axis."""
        centred = x - x.mean(-1, keepdims=True)
        spread = np.square(centred).mean(-1, keepdims=True)
        return centred / np.sqrt(spread + self.config.layer_norm_eps) * self[f"{name}.weight"] + self[f"{name}.bias"]


def encode(weights: Weights, batch: PaddedBatch, wanted: np.ndarray | None = None) -> np.ndarray:
    """Ids (B, L) -> last hidden states (B, L, H), at least those of the tokens that are `wanted` (B, L)."""
    config, mask, embedded = weights.config, batch.attention_mask, _embedded(weights, batch)
    # As in PyTorch, rows that begin with padding are not packed: the state of their first place is asked for, too.
    if weights.compiled is not None and (mask is None or (mask.ndim == 2 and bool((mask[:, 0] != 0).all()))):
        return _packed(weights.compiled, embedded, mask, wanted, weights.threads)
    bias = _attention_bias(mask)
    states = weights.dense("albert.encoder.embedding_hidden_mapping_in", embedded)
    for group in config.group_of_layer:
        for inner in range(config.inner_group_num):
            states = _layer(weights, f"albert.encoder.albert_layer_groups.{group}.albert_layers.{inner}", states, bias)
    return states


def _packed(
    encoder: kernels.CompiledEncoder,
    embedded: np.ndarray,
    mask: np.ndarray | None,
    wanted: np.ndarray | None,
    threads: int,
) -> np.ndarray:
    """Embeddings (B, L, E) -> last hidden states (B, L, H) of tokens, 0 for padding and for what is not `wanted`."""
    is_token = np.ones(embedded.shape[:2], bool) if mask is None else mask != 0
    is_given = is_token if wanted is None else is_token & wanted
    places = None if wanted is None else np.flatnonzero(is_given[is_token])
    found = encoder(embedded[is_token], is_token.sum(1), places, threads)
    states = np.zeros((*embedded.shape[:2], found.shape[-1]), np.float32)
    states[is_given] = found
    return states


def threads() -> int:
    """The threads of the compiled library: OMP_NUM_THREADS where that says a number, else one for each core."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    return processors.count()


def _embedded(weights: Weights, batch: PaddedBatch) -> np.ndarray:
    """(B, L) -> (B, L, E)."""
    ids, table = batch.input_ids, "albert.embeddings"
    types = np.zeros_like(ids) if batch.token_type_ids is None else batch.token_type_ids
    positions = np.arange(ids.shape[1]) if batch.position_ids is None else batch.position_ids
    words = weights[f"{table}.word_embeddings.weight"][ids] + weights[f"{table}.token_type_embeddings.weight"][types]
    return weights.norm(f"{table}.LayerNorm", words + weights[f"{table}.position_embeddings.weight"][positions])


def _layer(weights: Weights, name: str, states: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Attention and the feed-forward block, (B, L, H) -> (B, L, H)."""
    context = _attention(weights, f"{name}.attention", states, bias)
    attended = weights.norm(f"{name}.attention.LayerNorm", states + weights.dense(f"{name}.attention.dense", context))
    inner = weights.activation(weights.dense(f"{name}.ffn", attended))
    return weights.norm(f"{name}.full_layer_layer_norm", attended + weights.dense(f"{name}.ffn_output", inner))


def _attention(weights: Weights, name: str, states: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """(B, L, H) -> (B, L, H), before the output projection."""
    heads = (*states.shape[:2], weights.config.num_attention_heads, -1)
    query, key, value = (
        weights.dense(f"{name}.{part}", states).reshape(heads).swapaxes(1, 2) for part in ("query", "key", "value")
    )
    scores = query @ key.swapaxes(-1, -2) * np.float32(query.shape[-1] ** -0.5)
    return (softmax(scores if bias is None else scores + bias) @ value).swapaxes(1, 2).reshape(states.shape)


def softmax(scores: np.ndarray) -> np.ndarray:
    """(..., C) -> (..., C), which sum to 1 over the last axis, in the precision of the scores."""
    exponents = np.exp(scores - scores.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def _attention_bias(mask: np.ndarray | None) -> np.ndarray | None:
    """A mask of 1 and 0, (B, L), (B, L, L) or (B, N, L, L), as a bias (B, 1 or N, 1 or L, L) of attention scores."""
    if mask is None:
        return None
    mask = {2: mask[:, None, None, :], 3: mask[:, None]}[mask.ndim] if mask.ndim < 4 else mask
    return np.where(mask == 0, np.finfo(np.float32).min / 2, np.float32(0))
