"""Inputs of many lengths through a framework's forward, batched so that little padding is computed. Knows no text."""

from collections.abc import Iterator, Sequence

import numpy as np

from albertkit import arrays, frameworks
from albertkit.checkpoint.files import Checkpoint

TOKENS = 4096
"""Tokens in a batch, with their padding."""

Rows = Sequence[Sequence[int]]


class Engine:
    """A model ready to answer: token ids in, outputs in the order of the inputs."""

    def __init__(self, checkpoint: Checkpoint, head: str, framework: str = "auto", tokens: int = TOKENS) -> None:
        """`head` is a key of weight_table.PARTS, `framework` as in `frameworks.chosen`, `tokens` a batch's size."""
        infer = frameworks.room(frameworks.chosen(framework), "infer")
        self.config = checkpoint.config
        config, source = checkpoint.config.with_named_results(), str(checkpoint.source)
        self._forward = infer.compile(config, head, checkpoint.tensors, source)
        self._tokens = tokens

    def run(self, input_ids: Rows, token_type_ids: Rows) -> dict[str, np.ndarray]:
        """One row of outputs for each row of ids, by output name. Only for outputs whose shape no length changes."""
        outputs: dict[str, np.ndarray] = {}
        for rows, batch in self._batches(input_ids, token_type_ids):
            for name, values in self._forward(batch).items():
                found = outputs.setdefault(name, np.zeros((len(input_ids), *values.shape[1:]), values.dtype))
                found[rows] = values
        return outputs

    def scores_at(
        self, token: int, input_ids: Rows, token_type_ids: Rows
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Scores over the vocabulary at the places that hold `token`, a batch at a time, as they come.

        Yields rows and columns (P,) of the places, by row and column within a batch that holds whole rows, and logits
        (P, V). So no more is kept than one batch's, and no other place's is computed. For heads with such scores.
        """
        for rows, batch in self._batches(input_ids, token_type_ids):
            places = np.argwhere(batch["input_ids"] == token)
            if len(places):
                yield rows[places[:, 0]], places[:, 1], self._forward({**batch, "places": places})["logits"]

    def _batches(self, input_ids: Rows, token_type_ids: Rows) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """The numbers of the rows and the arrays of each batch."""
        for rows in arrays.by_length([len(row) for row in input_ids], self._tokens):
            ids, types = [input_ids[row] for row in rows], [token_type_ids[row] for row in rows]
            yield rows, arrays.model_inputs(ids, types, self.config.pad_token_id or 0)
