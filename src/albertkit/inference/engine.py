"""Inputs of many lengths through a framework's forward, batched so that little padding is computed. Knows no text."""

from collections.abc import Sequence

import numpy as np

from albertkit import arrays, frameworks
from albertkit.checkpoint.files import Checkpoint

TOKENS = 4096
"""Tokens in a batch, with their padding."""


class Engine:
    """A model ready to answer: token ids in, outputs in the order of the inputs."""

    def __init__(self, checkpoint: Checkpoint, head: str, framework: str = "auto", tokens: int = TOKENS) -> None:
        """`head` is a key of checkpoint.names.PARTS, `framework` as in `frameworks.chosen`, `tokens` a batch's size."""
        infer = frameworks.room(frameworks.chosen(framework), "infer")
        self.config = checkpoint.config
        self._forward = infer.compile(checkpoint.config.with_named_results(), head, checkpoint.tensors)
        self._tokens = tokens

    def run(self, input_ids: Sequence[Sequence[int]], token_type_ids: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
        """One row of outputs for each row of ids, by output name. Only for outputs whose shape no length changes."""
        outputs: dict[str, np.ndarray] = {}
        for rows in arrays.by_length([len(row) for row in input_ids], self._tokens):
            batch = arrays.model_inputs(
                [input_ids[row] for row in rows], [token_type_ids[row] for row in rows], self.config.pad_token_id or 0
            )
            for name, values in self._forward(batch).items():
                found = outputs.setdefault(name, np.zeros((len(input_ids), *values.shape[1:]), values.dtype))
                found[rows] = values
        return outputs
