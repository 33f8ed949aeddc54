"""Rows of question answering, as they are made.

Letters: L tokens of a row.
"""

from collections.abc import Sequence

from albertkit.tasks.features import Features
from albertkit.tasks.pieces import Pieces
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json


class QuestionRows:
    """Rows of questions with windows of their contexts, as they are made."""

    def __init__(self, tokenizer: AlbertTokenizerBase, longest: int, n_best: int) -> None:
        """When answers are scored, one has `longest` tokens at most; `n_best` of them are listed for each question."""
        self._tokenizer = tokenizer
        self._of_answers = {"longest": longest, "n_best": n_best}
        self._ids: list[list[int]] = []
        self._types: list[list[int]] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._owners: list[int] = []
        self._whole: list[list[Sequence[int]]] = []
        names = ("pieces", "window", "first", *self._of_answers)
        self._columns: dict[str, list[Json]] = {name: [] for name in names}

    def add(self, number: int, question: Sequence[int], context: Pieces, window: range, answer: range | None) -> None:
        """A row of question `number`, in their order, with the pieces of the answer if there is one."""
        inner, first = context.ids[window.start : window.stop], len(question) + 2
        self._ids.append(self._tokenizer.build_inputs_with_special_tokens(question, inner))
        self._types.append(self._tokenizer.create_token_type_ids_from_sequences(question, inner))
        is_here = answer is not None and window.start <= answer.start and answer.stop <= window.stop
        shift = first - window.start
        self._starts.append(answer.start + shift if answer is not None and is_here else 0)
        self._ends.append(answer.stop - 1 + shift if answer is not None and is_here else 0)
        self._owners.append(number)
        if number == len(self._whole):
            self._whole.append([question, context.ids])
        for name, value in {"pieces": context, "window": window, "first": first, **self._of_answers}.items():
            self._columns[name].append(value)

    def features(self, labelled: bool, truncated: int) -> Features:
        """All rows."""
        labels = {"start_positions": self._starts, "end_positions": self._ends} if labelled else {}
        return Features(
            self._ids,
            self._types,
            labels,
            example=self._owners,
            columns=self._columns,
            whole=self._whole,
            truncated=truncated,
        )
