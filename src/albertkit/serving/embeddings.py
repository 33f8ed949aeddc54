"""Routes for vectors, named as those of text-embeddings-inference and of OpenAI."""

import base64
import time
from collections.abc import Callable, Iterator

import numpy as np
from fastapi import APIRouter, Request, Response

from albertkit.pipelines import Pipeline
from albertkit.serving.answering import Answering
from albertkit.serving.errors import OPENAI, Refusal, described
from albertkit.serving.models import Models
from albertkit.serving.schemas import (
    EmbedRequest,
    OpenAIRequest,
    RerankRequest,
    SimilarityRequest,
    TokenizeRequest,
)
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Record

EMBEDDING = ("sentence-embedding",)


class Vectors:
    """Vectors of texts by the first model of a server that gives them, or by one that is named."""

    def __init__(self, models: Models, answering: Answering) -> None:
        self._models, self._answering = models, answering

    def loaded(self) -> dict[str, Pipeline]:
        """The models that give vectors, by name."""
        return {name: one for name, one in self._models.loaded().items() if one.task.name in EMBEDDING}

    def model(self, name: str = "") -> tuple[str, Pipeline]:
        """Refusal where there is none."""
        for known, one in self.loaded().items():
            if name in ("", known):
                return known, one
        raise Refusal(404, "No model of this server gives vectors under that name. Serve one for sentence-embedding.")

    async def of(
        self,
        request: Request,
        texts: list[str],
        shaped: Callable[[np.ndarray], Json] = lambda found: found,
        model: str = "",
        **options: Json,
    ) -> Response:
        """What `shaped` makes of the vectors, (N, H) float32; without it these."""
        name, answerer = self.model(model)
        width = answerer.config.hidden_size

        def of_vectors(found: Json) -> Json:
            return shaped(np.asarray(found, np.float32).reshape(len(texts), width))  # none: (0, H)

        return await self._answering.answer(request, name, answerer, texts, of_vectors, **options)


def of_vectors(models: Models, answering: Answering) -> APIRouter:
    """The routes /embed, /similarity, /rerank, /tokenize, /v1/embeddings and /v1/models."""
    vectors, router, begun = Vectors(models, answering), APIRouter(tags=["vectors"]), int(time.time())

    @router.post("/embed")
    async def embed(request: Request, body: EmbedRequest) -> Response:
        """The vector of each text."""
        options: Record = {} if body.normalize is None else {"normalize": body.normalize}
        return await vectors.of(request, _listed(body.inputs), truncation=body.truncate, **options)

    @router.post("/similarity", response_model=list[float])
    async def similarity(request: Request, body: SimilarityRequest) -> Response:
        """The cosine of each sentence and the source sentence."""
        texts = [body.inputs.source_sentence, *body.inputs.sentences]
        cuts = body.parameters is None or body.parameters.truncate
        return await vectors.of(request, texts, lambda found: found[1:] @ found[0], normalize=True, truncation=cuts)

    @router.post("/rerank", response_model=list[Record])
    async def rerank(request: Request, body: RerankRequest) -> Response:
        """Texts from the one that fits the query best on: by a model of pairs with one number, or else by cosine."""
        for name, one in models.loaded().items():
            if one.task.name == "text-classification" and one.config.num_labels == 1:
                pairs = [{"text": body.query, "text_pair": text} for text in body.texts]
                options = {"function_to_apply": "none", "truncation": body.truncate}
                return await answering.answer(
                    request, name, one, pairs, lambda found: _of_pairs(body, found), **options
                )
        texts = [body.query, *body.texts]
        return await vectors.of(
            request, texts, lambda found: _ranked(body, found[1:] @ found[0]), normalize=True, truncation=body.truncate
        )

    @router.post("/tokenize")
    async def tokenize(request: Request, body: TokenizeRequest) -> Response:
        """The pieces of each text by the first model's tokenizer, with their places in characters."""
        tokenizer, texts = next(iter(models.loaded().values())).tokenizer, _listed(body.inputs)
        return await answering.plain(request, texts, lambda: _pieces(tokenizer, texts, body.add_special_tokens))

    @router.post("/v1/embeddings", response_model=Record, responses=described(OPENAI))
    async def openai(request: Request, body: OpenAIRequest) -> Response:
        """The vectors of texts in the form of OpenAI's API."""
        texts = _listed(body.input)
        if not texts:
            raise Refusal(422, "`input` must hold a text.")
        name, _ = vectors.model(body.model)

        def shaped(found: np.ndarray) -> Json:
            cut = found if body.dimensions is None else _cut(found, body.dimensions)
            tokens = request.state.told["tokens"]
            usage = {"prompt_tokens": tokens, "total_tokens": tokens}
            return {"object": "list", "data": _of_openai(cut, body.encoding_format), "model": name, "usage": usage}

        return await vectors.of(request, texts, shaped, name)

    @router.get("/v1/models", responses=described(OPENAI))
    async def openai_models() -> Record:
        """The models that `/v1/embeddings` takes, in the form of OpenAI's API; `created` is when the server began."""
        about = {"object": "model", "created": begun, "owned_by": "albertkit"}
        return {"object": "list", "data": [{"id": name, **about} for name in vectors.loaded()]}

    return router


def _listed(inputs: str | list[str]) -> list[str]:
    return [inputs] if isinstance(inputs, str) else inputs


def _of_pairs(body: RerankRequest, found: Json) -> list[Record]:
    """The ranking by a model of pairs, whose numbers are logits."""
    scores = np.array([one["score"] for one in found])
    return _ranked(body, scores if body.raw_scores else 1 / (1 + np.exp(-scores)))


def _ranked(body: RerankRequest, scores: np.ndarray) -> list[Record]:
    order = sorted(range(len(body.texts)), key=lambda row: -scores[row])
    text = {row: {"text": body.texts[row]} if body.return_text else {} for row in order}
    return [{"index": row, "score": float(scores[row]), **text[row]} for row in order]


def _of_openai(vectors: np.ndarray, encoding: str) -> Iterator[Record]:
    for row, vector in enumerate(vectors):
        written = _as_base64(vector) if encoding == "base64" else vector
        yield {"object": "embedding", "index": row, "embedding": written}


def _cut(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """(N, H) -> (N, dimensions), of length 1."""
    if dimensions > vectors.shape[1]:
        raise Refusal(422, f"`dimensions` may be at most {vectors.shape[1]}, the width of this model's vectors.")
    kept = vectors[:, :dimensions]
    return kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def _as_base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _pieces(tokenizer: AlbertTokenizerBase, texts: list[str], add_special_tokens: bool) -> Iterator[Iterator[Record]]:
    """The pieces of each text with their places."""
    found = tokenizer(
        texts, add_special_tokens=add_special_tokens, return_offsets_mapping=True, return_special_tokens_mask=True
    )
    for row in zip(found["input_ids"], found["special_tokens_mask"], found["offset_mapping"], strict=True):
        yield _pieces_of(tokenizer, *row)


def _pieces_of(
    tokenizer: AlbertTokenizerBase, ids: list[int], specials: list[int], places: list[tuple[int, int]]
) -> Iterator[Record]:
    texts = tokenizer.convert_ids_to_tokens(ids)
    for number, piece, special, (start, stop) in zip(ids, texts, specials, places, strict=True):
        yield {"id": number, "text": piece, "special": bool(special), "start": start, "stop": stop}
