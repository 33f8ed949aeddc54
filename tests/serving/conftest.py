"""A server of small models with weights of chance, asked in this process."""

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("torch")

from fastapi.testclient import TestClient

from albertkit.checkpoint import files
from albertkit.serving.app import create_app
from albertkit.serving.limits import Limits
from albertkit.serving.models import Models, Source
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import random_tensors, small

HEADS = {
    "sequence": "ForSequenceClassification",
    "tokens": "ForTokenClassification",
    "questions": "ForQuestionAnswering",
    "choices": "ForMultipleChoice",
    "masks": "ForMaskedLM",
}


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A model's folder for each task, by name, and one for vectors."""
    root = tmp_path_factory.mktemp("served")
    words = AlbertTokenizerFast.from_pretrained("albertkit/small-en")
    for name, head in HEADS.items():
        config = small(vocab_size=words.vocab_size, max_position_embeddings=64)
        files.save(root / name, config, random_tensors(config, head), f"Albert{head}")
        words.save_pretrained(root / name)
    return root


@pytest.fixture(scope="session")
def models(folders):
    """All of them, loaded."""
    sources = [Source.of(str(folders / name), framework="torch") for name in HEADS]
    others = {"vectors": "sentence-embedding", "likelihood": "pseudo-perplexity"}
    for name, task in others.items():
        sources.append(Source.of(f"{name}={folders / 'masks'}", framework="torch", task=task))
    found = Models(sources)
    found.load()
    return found


@pytest.fixture
def serve(models):
    """What starts an application with some limits and keys, and gives a client of it."""
    clients = []

    def start(keys=(), headers=None, origins=(), **limits):
        app = create_app(models, Limits(**limits), keys, origins)
        client = TestClient(app, headers=headers, raise_server_exceptions=False)
        clients.append(client.__enter__())  # one event loop for all requests, as a server has
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)
        client.app.state.server.scheduler.stop()


@pytest.fixture
def client(serve):
    """A client of a server with the usual limits."""
    return serve()
