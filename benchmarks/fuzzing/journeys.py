"""What a person does with a folder. Each journey gives an answer that can be compared."""

import contextlib
import hashlib
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from albertkit.checkpoint import files
from albertkit.cli import info
from albertkit.config import AlbertConfig
from albertkit.pipelines import pipeline
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from albertkit.torch.models import AlbertForPreTraining, AlbertForSequenceClassification

LINE = "The cat sat on [MASK] 1999, walls, é 你好!  <newer>x"
IDS = ((2, 7, 11, 20, 3, 0),)


def read_config(folder: Path) -> str:
    """AlbertConfig.from_pretrained."""
    return json.dumps(AlbertConfig.from_pretrained(folder).to_dict(), sort_keys=True, default=repr)


def load(folder: Path) -> str:
    """files.load, and every byte of every weight."""
    held = files.load(folder)
    digest = hashlib.blake2b(repr(held.skipped).encode())
    for name, tensor in sorted(held.tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode() + tensor.tobytes())
    return digest.hexdigest()


def classify(folder: Path) -> str:
    """from_pretrained of a classifier, and its logits."""
    return _ran(AlbertForSequenceClassification.from_pretrained(folder))


def pretrained(folder: Path) -> str:
    """from_pretrained of the model of pre-training, and its first scores."""
    return _ran(AlbertForPreTraining.from_pretrained(folder))


def _ran(model: Any) -> str:
    with torch.inference_mode():
        outputs = model(torch.tensor(IDS), return_dict=False)
    scores = [output for output in outputs if isinstance(output, torch.Tensor)]  # a config may ask for more than these
    # Where in memory a tensor lies decides the last bits of what is computed.
    return repr([torch.round(output.double(), decimals=4).tolist() for output in scores])


def look(folder: Path) -> str:
    """`albertkit info`."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        info.command(str(folder))
    return printed.getvalue()


def slow(folder: Path) -> str:
    """AlbertTokenizer on a line, and back."""
    return _tokenized(AlbertTokenizer.from_pretrained(folder))


def fast(folder: Path) -> str:
    """AlbertTokenizerFast on a line, and back."""
    return _tokenized(AlbertTokenizerFast.from_pretrained(folder))


def _tokenized(tokenizer: Any) -> str:
    encoded = tokenizer(LINE, return_offsets_mapping=True, truncation=True, max_length=32)
    ids = encoded["input_ids"]
    return repr((ids, encoded["offset_mapping"], encoded.tokens(), tokenizer.decode(ids), tokenizer(LINE)["input_ids"]))


def answer(folder: Path) -> str:
    """A pipeline on a line."""
    found = pipeline("text-classification", folder, framework="torch", top_k=None)([LINE])[0]
    return repr([(one["label"], round(one["score"], 4)) for one in found])


WEIGHTS = (load, classify, look, answer)
CONFIG = (read_config, *WEIGHTS)
TOKENIZER = (slow, fast, answer)
LIBRARY = (fast, answer)
LEGACY = (load, pretrained, look)
EVERYTHING = (*CONFIG, *TOKENIZER[:-1])


class Heard(logging.Handler):
    """What was said as a warning."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.said.append(record.getMessage())


def travel(journey: Callable[[Path], str], folder: Path) -> tuple[str, list[str]]:
    """The answer of a journey, and what was said on the way."""
    heard = Heard()
    logging.getLogger("albertkit").addHandler(heard)
    try:
        torch.manual_seed(0)  # fresh weights, where a head is missing
        return journey(folder), heard.said
    finally:
        logging.getLogger("albertkit").removeHandler(heard)
