"""Answers of a classifier that stop at the layer where they are agreed on (PABEE, arXiv 2006.04152), on CPUs.

A sequence that has stopped is computed no further, so that a batch takes as long as its sequences need. The layer in
which one stops is computed for its first token alone, which is all that the head reads.

Letters: S sequences, T tokens of them, E embedding size, H hidden size, C classes.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from albertkit import rules
from albertkit.backends import Forward, Outputs
from albertkit.batches import PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.torch.packed.chunks import Chunk, split_into_chunks
from albertkit.torch.packed.packed_encoder import PackedEncoder
from albertkit.torch.packed_sequences import PackedSequences, Unpadded

Agree = Callable[[Tensor, Tensor], Tensor]
"""Logits (S, C) of two layers -> (S,) whether they are the same answer."""


def compile(model: Any, encoder: PackedEncoder) -> Forward:
    """The forward of a sequence classifier in its own precision, by the patience of its config.

    A batch -> `logits` (B, C) of the layer where each row stopped, and `layers` (B,), how many that were. InputError
    for rows that are padded in front.
    """
    model.eval()
    albert, read = model.base_model, EarlyExit(encoder, model.config, lambda states: _logits(model, states))

    @torch.inference_mode()
    def forward(batch: PaddedBatch) -> Outputs:
        given = {name: torch.from_numpy(array) for name, array in batch.arguments().items()}
        packing = Unpadded.of(given["input_ids"], None, given.get("attention_mask"))
        if packing is None:
            raise InputError("Early exit needs rows that begin with a token. Received: padding. Pad them on the right.")
        inputs = (given["input_ids"], given.get("token_type_ids"), None, None)
        logits, layers = read(albert._packed_embeddings(inputs, packing), packing.sequences(is_first_token=True))
        order = packing.starts.argsort().argsort()
        return {"logits": logits[order].numpy(), "layers": layers[order].float().numpy()}

    return forward


def agreement(config: AlbertConfig) -> Agree:
    """When two layers agree: on the class, on all classes that a text has, or on a number by less than a threshold."""
    threshold = config.early_exit_threshold
    kind = rules.problem_type(config.problem_type, config.num_labels, has_integer_labels=True)
    if kind == "regression":
        return lambda one, other: (one - other).abs().amax(-1) < (threshold or 0)
    if kind == "multi_label_classification":
        return lambda one, other: ((one > 0) == (other > 0)).all(-1)
    return lambda one, other: one.argmax(-1) == other.argmax(-1)


class EarlyExit:
    """Runs an encoder until the head, read after each layer, has given one answer `early_exit_patience` times more."""

    def __init__(self, encoder: PackedEncoder, config: AlbertConfig, read: Callable[[Tensor], Tensor]) -> None:
        """`read` is the head: states of first tokens (S, H) float32 -> logits (S, C)."""
        self._encoder, self._read = encoder, read
        self._patience, self._agree = config.early_exit_patience, agreement(config)
        self._inner, self._classes = config.inner_group_num, config.num_labels

    def __call__(self, embeddings: Tensor, sequences: PackedSequences) -> tuple[Tensor, Tensor]:
        """(1, T, E) -> logits (S, C) float32 and the number of layers (S,), in the order of packing."""
        chunks = [self._run(embeddings[0, one.start : one.stop], one) for one in split_into_chunks(sequences)]
        logits, layers = (torch.cat(parts) for parts in zip(*chunks, strict=True))
        return logits, layers

    def _run(self, embeddings: Tensor, chunk: Chunk) -> tuple[Tensor, Tensor]:
        """The same of one chunk."""
        encoder, states = self._encoder, self._encoder.mapped(embeddings)
        votes = _Votes(len(chunk.positions), self._classes, self._patience, self._agree)  # type: ignore[arg-type]  # first tokens are wanted
        last = len(encoder.runs) - 1
        for run, layer in enumerate(encoder.runs):
            depth, inside = divmod(run + 1, self._inner)
            if inside or (depth <= self._patience and run < last):  # none can stop yet
                states = layer(states, chunk.whole(), encoder.heads, run)
                if not inside:
                    votes.add(self._read(states[chunk.positions].float()), depth)
                continue
            key_value = layer.keys_and_values(states, run)
            firsts = layer(states, chunk, encoder.heads, run, key_value)
            stopped = votes.add(self._read(firsts.float()), depth, is_last=run == last)
            if stopped.all():
                break
            if stopped.any():
                chunk, tokens = remaining(chunk, ~stopped)
                states, key_value = states[tokens], key_value[tokens]
            states = layer(states, chunk.whole(), encoder.heads, run, key_value)
        return votes.logits, votes.layers


def remaining(chunk: Chunk, kept: Tensor) -> tuple[Chunk, Tensor]:
    """A chunk of first tokens with those of its sequences that are `kept` (S,), and which of its tokens they have."""
    counts, sizes = torch.tensor(chunk.groups).unbind(-1)
    lengths = torch.repeat_interleave(sizes, counts)
    tokens = torch.repeat_interleave(kept, lengths).nonzero()[:, 0]
    groups, start = [], 0
    for count, length in chunk.groups:
        if left := int(kept[start : start + count].sum()):
            groups.append((left, length))
        start += count
    lengths = lengths[kept]
    return Chunk(0, len(tokens), groups, lengths.cumsum(0) - lengths, is_first_token=True), tokens


class _Votes:
    """What the layers have answered so far, for S sequences, of which fewer and fewer go on."""

    def __init__(self, sequences: int, classes: int, patience: int, agree: Agree) -> None:
        self.logits = torch.empty(sequences, classes)
        """(S, C) of the layer where each has stopped."""
        self.layers = torch.zeros(sequences, dtype=torch.int64)
        """(S,) that layer, from 1."""
        self._patience, self._agree = patience, agree
        self._going = torch.arange(sequences)
        self._agreed = torch.zeros(sequences, dtype=torch.int64)
        self._before: Tensor | None = None

    def add(self, logits: Tensor, depth: int, is_last: bool = False) -> Tensor:
        """The logits of a layer for the sequences that go on, in their order -> (S,) which of these stop there."""
        if self._before is not None:
            self._agreed = torch.where(self._agree(logits, self._before), self._agreed + 1, 0)
        stopped = torch.ones_like(self._agreed, dtype=torch.bool) if is_last else self._agreed >= self._patience
        self.logits[self._going[stopped]] = logits[stopped]
        self.layers[self._going[stopped]] = depth
        kept = ~stopped
        self._going, self._agreed, self._before = self._going[kept], self._agreed[kept], logits[kept]
        return stopped


def _logits(model: Any, states: Tensor) -> Tensor:
    return model.classifier(model.base_model._pooled(states))
