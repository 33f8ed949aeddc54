"""The usual server made by hand: FastAPI around a pipeline of Transformers, one request after the other.

Run in the environment of requirements/engine_peers.txt: python benchmarks/serving_peer.py FOLDER PORT
"""

import sys
import threading

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline


class Question(BaseModel):
    """One text."""

    inputs: str


def main() -> None:
    folder, port = sys.argv[1:]
    classify = pipeline("text-classification", folder, device="cpu")
    app, turn = FastAPI(), threading.Lock()

    @app.get("/ready")
    def ready() -> str:
        return "ready"

    @app.post("/models/classify")
    def answer(question: Question) -> list[dict]:
        with turn:  # the model has all cores; two at a time would only wait for each other
            return classify(question.inputs, truncation=True)

    uvicorn.run(app, port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
