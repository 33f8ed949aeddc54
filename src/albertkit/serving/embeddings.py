"""Routes for vectors, named as those of text-embeddings-inference and of OpenAI."""

import base64

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from albertkit.pipelines import Pipeline
from albertkit.serving.answering import Answering
from albertkit.serving.errors import Refusal
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

    def model(self, name: str = "") -> tuple[str, Pipeline]:
        """Refusal where there is none."""
        for known, one in self._models.loaded().items():
            if name in ("", known) and one.task.name in EMBEDDING:
                return known, one
        raise Refusal(404, "No model of this server gives vectors under that name. Serve one for sentence-embedding.")

    async def of(self, request: Request, texts: list[str], model: str = "", **options: Json) -> np.ndarray:
        """(N, H) float32."""
        name, answerer = self.model(model)
        found = await self._answering.answer(request, name, answerer, texts, **options)
        return np.asarray(found, np.float32).reshape(len(texts), answerer.config.hidden_size)  # none: (0, H)


def add_routes(app: FastAPI, models: Models, answering: Answering) -> None:
    """Add /embed, /similarity, /rerank, /tokenize and /v1/embeddings."""
    vectors = Vectors(models, answering)

    @app.post("/embed", tags=["vectors"])
    async def embed(request: Request, body: EmbedRequest) -> Response:
        """The vector of each text."""
        texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
        options: Record = {} if body.normalize is None else {"normalize": body.normalize}
        found = await vectors.of(request, texts, truncation=body.truncate, **options)
        return await answering.beside(lambda: JSONResponse(found.tolist()))

    @app.post("/similarity", tags=["vectors"])
    async def similarity(request: Request, body: SimilarityRequest) -> list[float]:
        """The cosine of each sentence and the source sentence."""
        texts = [body.inputs.source_sentence, *body.inputs.sentences]
        found = await vectors.of(request, texts, normalize=True)
        return (found[1:] @ found[0]).tolist()

    @app.post("/rerank", tags=["vectors"])
    async def rerank(request: Request, body: RerankRequest) -> list[Record]:
        """Texts from the one that fits the query best on: by a model of pairs with one number, or else by cosine."""
        scores = await _scores(request, body)
        order = sorted(range(len(body.texts)), key=lambda row: -scores[row])
        text = {row: {"text": body.texts[row]} if body.return_text else {} for row in order}
        return [{"index": row, "score": float(scores[row]), **text[row]} for row in order]

    async def _scores(request: Request, body: RerankRequest) -> np.ndarray:
        for name, one in models.loaded().items():
            if one.task.name == "text-classification" and one.config.num_labels == 1:
                pairs = [{"text": body.query, "text_pair": text} for text in body.texts]
                options = {"function_to_apply": "none", "truncation": body.truncate}
                found = await answering.answer(request, name, one, pairs, **options)
                scores = np.array([one["score"] for one in found])
                return scores if body.raw_scores else 1 / (1 + np.exp(-scores))
        found = await vectors.of(request, [body.query, *body.texts], normalize=True, truncation=body.truncate)
        return found[1:] @ found[0]

    @app.post("/tokenize", tags=["vectors"])
    async def tokenize(body: TokenizeRequest) -> Response:
        """The pieces of each text by the first model's tokenizer, with their places in characters."""
        texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
        tokenizer = next(iter(models.loaded().values())).tokenizer
        return await answering.beside(lambda: _pieces(tokenizer, texts, body.add_special_tokens))

    @app.post("/v1/embeddings", tags=["vectors"])
    async def openai(request: Request, body: OpenAIRequest) -> Record:
        """The vectors of texts in the form of OpenAI's API."""
        texts = [body.input] if isinstance(body.input, str) else body.input
        if not texts:
            raise Refusal(422, "`input` must hold a text.")
        name, _ = vectors.model(body.model)
        found = await vectors.of(request, texts, name)
        if body.dimensions is not None:
            found = _cut(found, body.dimensions)
        tokens = request.state.told["tokens"]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        written = [_as_base64(one) if body.encoding_format == "base64" else one.tolist() for one in found]
        rows = [{"object": "embedding", "index": row, "embedding": one} for row, one in enumerate(written)]
        return {"object": "list", "data": rows, "model": name, "usage": usage}


def _cut(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """(N, H) -> (N, dimensions), of length 1."""
    if dimensions > vectors.shape[1]:
        raise Refusal(422, f"`dimensions` may be at most {vectors.shape[1]}, the width of this model's vectors.")
    kept = vectors[:, :dimensions]
    return kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def _as_base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _pieces(tokenizer: AlbertTokenizerBase, texts: list[str], add_special_tokens: bool) -> Response:
    """The pieces of each text with their places, as a response."""
    found = tokenizer(
        texts, add_special_tokens=add_special_tokens, return_offsets_mapping=True, return_special_tokens_mask=True
    )
    columns = found["input_ids"], found["special_tokens_mask"], found["offset_mapping"]
    return JSONResponse(
        [
            [
                {"id": number, "text": piece, "special": bool(special), "start": start, "stop": stop}
                for number, piece, special, (start, stop) in zip(
                    ids, tokenizer.convert_ids_to_tokens(ids), specials, places, strict=True
                )
            ]
            for ids, specials, places in zip(*columns, strict=True)
        ]
    )
