"""What models answer with: named fields, readable as attributes, by key, by position and as a tuple.

Shared by the three frameworks, so a field is "an array": of PyTorch, TensorFlow or JAX. Letters: B batch, L sequence
length, H hidden size, V vocabulary, C classes. A field that was not asked for is None as an attribute and absent from
keys, positions and length.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import NoReturn

from albertkit.typing import Array


@dataclass
class ModelOutput(dict[str, Array]):
    """An ordered mapping of the fields that are there. Keys follow the order in which the class declares its fields.

    A mapping, or an iterator or list of (name, value), may stand in the place of the first field, as with dict: so
    TensorFlow, DataParallel and Accelerate make an output anew.
    """

    def __post_init__(self) -> None:
        first = next(iter(self.__dataclass_fields__), "")
        pairs = _pairs(getattr(self, first, None))
        if pairs is not None:
            setattr(self, first, None)
            for name, value in pairs:
                self[name] = value

    def __setattr__(self, name: str, value: Array) -> None:
        object.__setattr__(self, name, value)
        if name in self.__dataclass_fields__:
            values = {field: getattr(self, field) for field in self.__dataclass_fields__}
            super().clear()
            super().update({field: value for field, value in values.items() if value is not None})

    def __setitem__(self, name: str, value: Array) -> None:
        if name not in self.__dataclass_fields__:
            known = ", ".join(self.__dataclass_fields__)
            raise KeyError(f"A {type(self).__name__} has the fields {known}. Received: {name!r}. Use dict(output).")
        setattr(self, name, value)

    def __getitem__(self, key: str | int | slice) -> Array:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"A {type(self).__name__} keeps its fields. Received: deletion of {name!r}. Use dict(output).")

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        """Not allowed: fields stay, and are set by name. Use dict(output)."""
        raise TypeError(f"A {type(self).__name__} keeps its fields. Set one by its name, or use dict(output).")

    pop = popitem = clear = update = setdefault = __ior__ = _refuse  # type: ignore[assignment]  # of other signatures

    def to_tuple(self) -> tuple[Array, ...]:
        """The fields that are there, in order."""
        return tuple(dict.values(self))

    def __reduce__(self) -> tuple[type, tuple[Array, ...]]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))


def _pairs(given: object) -> list[tuple[str, Array]] | None:
    """The (name, value) of a mapping or of an iterator or list of such pairs; None for what is a value itself."""
    if isinstance(given, Mapping):
        return list(given.items())
    pairs = list(given) if isinstance(given, (list, Iterator)) else []
    are_named = all(isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs)
    return pairs if pairs and are_named else None


@dataclass
class BaseModelOutput(ModelOutput):
    """The encoder's answer.

    last_hidden_state (B, L, H); hidden_states: one (B, L, H) for the mapped embeddings and one a layer; attentions: one
    (B, heads, L, L) for each inner layer run.
    """

    last_hidden_state: Array = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None


@dataclass
class BaseModelOutputWithPooling(ModelOutput):
    """The answer of AlbertModel: last_hidden_state (B, L, H) and pooler_output (B, H), the tanh of the [CLS] state."""

    last_hidden_state: Array = None
    pooler_output: Array = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None


@dataclass
class AlbertForPreTrainingOutput(ModelOutput):
    """The two pre-training heads.

    loss (): masked-language-model plus sentence-order loss, where both labels are given; prediction_logits (B, L, V);
    sop_logits (B, 2), of which class 0 is "in order" and 1 "swapped" (arXiv 1909.11942, section 3.1).
    """

    loss: Array = None
    prediction_logits: Array = None
    sop_logits: Array = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None


# The three frameworks answer with one class; people look for it under the name of their own.
TFAlbertForPreTrainingOutput = FlaxAlbertForPreTrainingOutput = AlbertForPreTrainingOutput


@dataclass
class MaskedLMOutput(ModelOutput):
    """loss () where labels are given; logits (B, L, V)."""

    loss: Array = None
    logits: Array = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None


@dataclass
class SequenceClassifierOutput(ModelOutput):
    """loss () where labels are given; logits (B, C)."""

    loss: Array = None
    logits: Array = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None


@dataclass
class MultipleChoiceModelOutput(ModelOutput):
    """loss () where labels are given; logits (B, choices)."""

    loss: Array = None
    logits: Array = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None


@dataclass
class TokenClassifierOutput(ModelOutput):
    """loss () where labels are given; logits (B, L, C)."""

    loss: Array = None
    logits: Array = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None


@dataclass
class QuestionAnsweringModelOutput(ModelOutput):
    """loss () where both positions are given; start_logits and end_logits (B, L)."""

    loss: Array = None
    start_logits: Array = None
    end_logits: Array = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None


@dataclass
class QuestionAnsweringBeamSearchModelOutput(ModelOutput):
    """The best starts of an answer, the best ends for each, and whether there is none. K starts, M ends for each.

    loss () where both positions are given; start_top_log_probs and start_top_index (B, K), best first;
    end_top_log_probs and end_top_index (B, K * M), those of the first start in front; cls_logits (B,): the log odds of
    there being no answer. In training with a loss there are no starts and ends.
    """

    loss: Array = None
    start_top_log_probs: Array = None
    start_top_index: Array = None
    end_top_log_probs: Array = None
    end_top_index: Array = None
    cls_logits: Array = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None


@dataclass
class SentenceEmbeddingOutput(ModelOutput):
    """loss () where labels are given; sentence_embedding (B, H), of rows of S sentences (B, S, H): not normalised."""

    loss: Array = None
    sentence_embedding: Array = None
    hidden_states: tuple[Array, ...] | None = None
    attentions: tuple[Array, ...] | None = None


ALL: tuple[type[ModelOutput], ...] = (
    BaseModelOutput,
    BaseModelOutputWithPooling,
    AlbertForPreTrainingOutput,
    MaskedLMOutput,
    SequenceClassifierOutput,
    MultipleChoiceModelOutput,
    TokenClassifierOutput,
    QuestionAnsweringModelOutput,
    QuestionAnsweringBeamSearchModelOutput,
    SentenceEmbeddingOutput,
)


PER_TOKEN: dict[str, frozenset[str]] = {
    "Model": frozenset({"last_hidden_state"}),
    "ForPreTraining": frozenset({"prediction_logits"}),
    "ForMaskedLM": frozenset({"logits"}),
    "ForSequenceClassification": frozenset(),
    "ForMultipleChoice": frozenset(),
    "ForTokenClassification": frozenset({"logits"}),
    "ForQuestionAnswering": frozenset({"start_logits", "end_logits"}),
    "ForQuestionAnsweringBeamSearch": frozenset(),
    "ForSentenceEmbedding": frozenset(),
}
"""The outputs of each head that have an entry a token, (B, L, ...); the others have one a sequence."""
