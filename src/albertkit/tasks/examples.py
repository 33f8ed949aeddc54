"""What is read from a file or passed to a pipeline, as fine-tuning and pipelines see it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Self

from albertkit.typing import Record


class Examples(ABC):
    """What is read from a file or passed to a pipeline: inputs, and labels where there are any."""

    path: str
    """The file they come from; nothing where they were passed."""
    left_out: int = 0
    """Rows that were left out because they lack something, where that was allowed."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, chosen: Iterable[int]) -> Self:
        """Some of the examples, by number."""

    @abstractmethod
    def texts(self) -> Iterable[str]:
        """All texts, from which a vocabulary may be learned."""

    @abstractmethod
    def where(self, chosen: Sequence[int]) -> str:
        """Where examples stand, for a message: file and lines, or nothing where they come from no file."""

    @abstractmethod
    def shown(self, number: int) -> Record:
        """What is printed beside the answer of an example, for JSON."""
