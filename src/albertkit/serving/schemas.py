"""What requests look like, by task: checked before anything is computed, and shown in the server's OpenAPI."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, create_model

from albertkit.serving import parameters
from albertkit.serving.texts import Text
from albertkit.tasks.base import AnyTask
from albertkit.typing import Json


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Pair(_Strict):
    """Two texts that belong together."""

    text: Text
    text_pair: Text | None = None


class Question(_Strict):
    """A question and the text in which its answer stands."""

    question: Text
    context: Text


class Choice(_Strict):
    """A question with its possible answers and, where there is one, the text that decides."""

    question: Text
    choices: list[Text] = Field(min_length=2)
    context: Text | None = None


_MOST = Field(max_length=4096)
_Texts = Text | Annotated[list[Text], _MOST]
INPUTS: dict[str, Any] = {
    "text-classification": Text | Pair | Annotated[list[Text | Pair], _MOST],
    "question-answering": Question | Annotated[list[Question], _MOST],
    "multiple-choice": Choice | Annotated[list[Choice], _MOST],
}
"""By task, where its inputs are not a text or texts."""


def request_model(task: AnyTask) -> type[BaseModel]:
    """The body of a request for a task: `inputs`, one or a list, and `parameters`, the options of a pipeline's call."""
    fields: Any = {name: (kind, None) for name, kind in parameters.fields(task).items()}
    title = "".join(word.capitalize() for word in task.name.split("-"))
    options: Any = create_model(f"{title}Parameters", __base__=_Strict, **fields)
    own: Any = {
        "inputs": (INPUTS.get(task.name, _Texts), Field(examples=[task.sample])),
        "parameters": (options | None, Field(None, description="Options of the answer; see the page of the task.")),
    }
    return create_model(f"{title}Request", __base__=_Strict, **own)


def plain(value: Json) -> Json:
    """Models -> mappings without what was not given, as pipelines take inputs."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    return [plain(one) for one in value] if isinstance(value, list) else value


class EmbedRequest(_Strict):
    """Texts to be turned into vectors."""

    inputs: _Texts = Field(examples=[["A text.", "Another text."]])
    normalize: StrictBool | None = Field(None, description="Vectors of length 1; default: as the model says.")
    truncate: StrictBool = Field(True, description="Cut longer texts, or else refuse them with 422.")


class Sentences(_Strict):
    """One text, and those that it is compared with."""

    source_sentence: Text
    sentences: Annotated[list[Text], _MOST]


class SimilarityParameters(_Strict):
    """Options of a comparison."""

    truncate: StrictBool = Field(True, description="Cut longer texts, or else refuse them with 422.")


class SimilarityRequest(_Strict):
    """How near texts are to another."""

    inputs: Sentences = Field(examples=[{"source_sentence": "A cup of tea.", "sentences": ["A mug of tea.", "Rain."]}])
    parameters: SimilarityParameters | None = None


class RerankRequest(_Strict):
    """Texts to be put in the order in which they fit a query."""

    query: Text = Field(examples=["What is tea?"])
    texts: list[Text] = Field(max_length=4096, examples=[["Tea is a drink.", "Rain falls."]])
    raw_scores: StrictBool = False
    return_text: StrictBool = False
    truncate: StrictBool = True


class TokenizeRequest(_Strict):
    """Texts to be taken apart."""

    inputs: _Texts = Field(examples=["A cup of tea."])
    add_special_tokens: StrictBool = True


class OpenAIRequest(BaseModel):
    """Texts to be turned into vectors, as clients of OpenAI ask for them; other fields are ignored."""

    input: _Texts = Field(examples=[["A text.", "Another text."]])
    model: Text = Field("", description="A model of this server; empty: the first that gives vectors.")
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: StrictInt | None = Field(
        None, ge=1, description="Keep so many numbers of a vector, made length 1 again."
    )
