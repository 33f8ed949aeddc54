"""The packed encoder on a GPU: all sequences at once, what follows attention compiled, single texts as CUDA graphs.

Letters: T tokens, P tokens that are wanted, E embedding size, H hidden size.
"""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from albertkit.config import AlbertConfig
from albertkit.torch.encoder import AlbertTransformer
from albertkit.torch.packed.attention import attend_by_offsets
from albertkit.torch.packed.chunks import Chunk, Offsets
from albertkit.torch.packed.packed_encoder import Layer, PackedEncoder
from albertkit.torch.packed.products import float_products
from albertkit.torch.packed_sequences import PackedSequences

logger = logging.getLogger(__name__)

LENGTHS = (16, 32, 64, 96, 128, 192, 256, 384, 513)
"""Single texts are computed as if they were as long as the next of these: there is a graph for each."""
COMPILE_AFTER = 1_000_000
"""Tokens after which compiling is worth its wait, of some ten seconds."""

Replay = Callable[[], Tensor]


def can_run(device: torch.device, config: AlbertConfig) -> bool:
    """Whether PyTorch has attention over sequences of any length for a GPU and this width of heads."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 0):
        return False
    try:
        from torch.nn.attention.varlen import varlen_attn  # noqa: F401  (is in PyTorch from 2.10 on)
    except ImportError:
        return False
    width = config.hidden_size // config.num_attention_heads
    return width % 8 == 0 and width <= 256


def capture(run: Replay, device: torch.device) -> Replay:
    """Record what `run` computes from tensors that stay in place -> what computes it again, as one CUDA graph."""
    with torch.cuda.device(device):  # graphs and streams are of the current device, whichever tensors are on
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # memory is reserved, and kernels are chosen, before anything is recorded
            for _ in range(3):
                run()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            out = run()

    def replay() -> Tensor:
        graph.replay()
        return out

    return replay


class GPUEncoder(PackedEncoder):
    """Takes the place of a model's encoder in bfloat16 on a GPU; see PackedEncoder.

    Where a compiler or graphs are not to be had, it says so once and goes on without.
    """

    def __init__(
        self,
        encoder: AlbertTransformer,
        config: AlbertConfig,
        dtype: torch.dtype = torch.bfloat16,
        capture: Callable[[Replay, torch.device], Replay] | None = capture,
    ) -> None:
        super().__init__(encoder, config, float_products(dtype, config.hidden_act), attend_by_offsets)
        self._capture, self._graphs, self._lock = capture, {}, threading.Lock()
        self._until_compiled = COMPILE_AFTER

    def _chunks(self, sequences: PackedSequences) -> list[Chunk]:
        tokens = sum(count * length for count, length in sequences.groups)
        self._compile_after(tokens)
        return [Chunk(0, tokens, sequences.groups, sequences.positions, sequences.is_first_token)]

    def _run(self, embeddings: Tensor, chunk: Chunk) -> Tensor:
        is_single = chunk.groups == ((1, len(embeddings)),) and len(embeddings) < LENGTHS[-1]
        is_known = chunk.positions is None or chunk.is_first_token
        if self._capture is None or not is_single or not is_known:
            return super()._run(embeddings, chunk)
        with self._lock:  # a graph has but one place for what it is given
            graph = self._graph(embeddings, chunk.is_first_token)
            return super()._run(embeddings, chunk) if graph is None else graph(embeddings)

    def _graph(self, embeddings: Tensor, is_first_token: bool) -> "_Graph | None":
        """The graph for a text (T, E): of all its states or that of its first token. None where there can be none."""
        length = next(one for one in LENGTHS if one > len(embeddings))
        if (length, is_first_token) not in self._graphs:
            graph = _Graph.empty(length, embeddings, is_first_token)
            graph.fill(embeddings)
            assert self._capture is not None
            try:
                run = super()._run
                replay = self._capture(lambda: run(graph.embeddings, graph.chunk), embeddings.device)
            except RuntimeError as error:
                logger.warning("Single texts are computed without CUDA graphs: %s", str(error).splitlines()[0])
                self._capture = None
                return None
            self._graphs[length, is_first_token] = graph._replace(replay=replay)
        return self._graphs[length, is_first_token]

    def _compile_after(self, tokens: int) -> None:
        """Count tokens, and compile once there were enough."""
        if self._until_compiled <= 0:
            return
        self._until_compiled -= tokens
        if self._until_compiled <= 0:
            for layer in set(self.runs):
                layer.finish = CompiledFinish(layer)


class CompiledFinish:
    """What follows attention in a layer, compiled once for any number of tokens; as it is where that cannot be done."""

    def __init__(self, layer: Layer, backend: str = "inductor") -> None:
        self._finish = layer.uncompiled
        self._compiled = torch.compile(layer.uncompiled, dynamic=True, fullgraph=True, backend=backend)

    def __call__(self, context: Tensor, states: Tensor, run: int) -> Tensor:
        """See Layer.uncompiled. Products of floats are the same in all runs: the number would only be compiled, too."""
        if self._compiled is None:
            return self._finish(context, states, run)
        try:
            return self._compiled(context, states, 0)
        except Exception as error:
            logger.warning("Layers are computed without being compiled: %s", " ".join(str(error).splitlines()[:2]))
            self._compiled = None
            return self._finish(context, states, run)


class _Graph(NamedTuple):
    """The layers over one text, which is made longer by a second sequence that nobody asks for."""

    embeddings: Tensor
    """(length, E)"""
    places: Tensor
    """(3,) int32: where the two sequences begin, and the end."""
    chunk: Chunk
    replay: Replay | None = None

    @classmethod
    def empty(cls, length: int, like: Tensor, is_first_token: bool) -> "_Graph":
        """A place for a text of fewer than `length` tokens."""
        places = torch.tensor([0, 1, length], dtype=torch.int32, device=like.device)
        positions = places[:2] if is_first_token else None
        chunk = Chunk(0, length, ((2, length),), positions, is_first_token, Offsets(places, length))
        return cls(like.new_zeros(length, like.shape[-1]), places, chunk)

    def fill(self, embeddings: Tensor) -> None:
        """Put (T, E) of a text in its place."""
        self.embeddings[: len(embeddings)] = embeddings
        self.places[1] = len(embeddings)

    def __call__(self, embeddings: Tensor) -> Tensor:
        """(T, E) of a text -> its states (T, H), or that of its first token (1, H)."""
        assert self.replay is not None
        self.fill(embeddings)
        out = self.replay()
        return out[: 1 if self.chunk.is_first_token else len(embeddings)].clone()
