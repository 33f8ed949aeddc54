"""Vocabularies and tokenizers of the tests."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sentencepiece

from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer

WORDPIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "你", "好", "hello", "world", "the", "cat", "##s", "##ing"]
WORDPIECES += ["e", "##e", "1", "##9", ",", ".", "!", "a", "sat", "on", "wall", "in", "##x"]


@pytest.fixture(scope="session")
def spiece(data: Path) -> Path:
    """A SentencePiece vocabulary of 600 pieces, seven of which end in digit and comma."""
    return data / "spiece.model"


@pytest.fixture(scope="session")
def tokenizer_json(data: Path) -> Path:
    """What Transformers makes of `spiece`, with the added tokens of published files."""
    return data / "tokenizer.json"


@pytest.fixture(scope="session")
def vocab_txt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WordPiece vocabulary."""
    path = tmp_path_factory.mktemp("wordpiece") / "vocab.txt"
    path.write_text("".join(f"{piece}\n" for piece in WORDPIECES), encoding="utf-8")
    return path


Make = Callable[..., AlbertTokenizerBase]


@pytest.fixture(scope="session")
def makers(spiece: Path, tokenizer_json: Path, vocab_txt: Path) -> dict[str, Make]:
    """Each way to make a tokenizer from a vocabulary."""
    return {
        "slow": lambda **options: AlbertTokenizer(spiece, **options),
        "exact": lambda **options: AlbertTokenizerFast(spiece, **options),
        "library": lambda **options: AlbertTokenizerFast(tokenizer_file=tokenizer_json, **options),
        "wordpiece": lambda **options: AlbertWordPieceTokenizer(vocab_txt, **options),
    }


@pytest.fixture(params=["slow", "exact", "library", "wordpiece"])
def make(request: pytest.FixtureRequest, makers: dict[str, Make]) -> Make:
    """A maker of new tokenizers, which a test may change."""
    return makers[request.param]


@pytest.fixture(scope="session")
def _shared(makers: dict[str, Make]) -> dict[str, AlbertTokenizerBase]:
    return {name: make() for name, make in makers.items()}


@pytest.fixture(scope="session", params=["slow", "exact", "library", "wordpiece"])
def tokenizer(request: pytest.FixtureRequest, _shared: dict[str, AlbertTokenizerBase]) -> AlbertTokenizerBase:
    """Each tokenizer in turn, made once: tests leave it as it is."""
    return _shared[request.param]


@pytest.fixture(scope="session")
def slow(_shared: dict[str, AlbertTokenizerBase]) -> AlbertTokenizerBase:
    """The AlbertTokenizer, made once: tests leave it as it is."""
    return _shared["slow"]


@pytest.fixture(scope="session")
def exact(_shared: dict[str, AlbertTokenizerBase]) -> AlbertTokenizerBase:
    """The AlbertTokenizerFast of spiece.model, made once: tests leave it as it is."""
    return _shared["exact"]


@pytest.fixture(scope="session")
def library(_shared: dict[str, AlbertTokenizerBase]) -> AlbertTokenizerBase:
    """The AlbertTokenizerFast of tokenizer.json, made once: tests leave it as it is."""
    return _shared["library"]


def learned(texts: Sequence[str], vocab_size: int, **options: object) -> bytes:
    """A SentencePiece model with ALBERT's special tokens."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        **{
            "model_type": "unigram",
            "vocab_size": vocab_size,
            "pad_id": 0,
            "unk_id": 1,
            "bos_id": -1,
            "eos_id": -1,
            "control_symbols": ["[CLS]", "[SEP]", "[MASK]"],
            "hard_vocab_limit": False,
            "minloglevel": 2,
            **options,
        },
    )
    return model.getvalue()


@pytest.fixture(scope="session")
def vocabularies(spiece: Path) -> dict[str, bytes]:
    """SentencePiece models that differ in what they know of digits and commas."""
    words = ["the cat sat on the mat", "a dog ran to the old mill", "one two three four five"] * 5
    numbers = [f"in {n} he saw {n * 7} cats and {n % 10} dogs" for n in range(20)]
    chosen = ["9,", "1999,", "99,", "\u25817,"]
    return {
        "fixture": spiece.read_bytes(),
        "no digit, no comma": learned(words, 60),
        "no comma": learned([*words, *numbers], 90),
        "comma only in pieces": learned([*words, *numbers], 90, user_defined_symbols=chosen),
        "many numbers": learned([*words, *numbers, "9, 1999, 7, 3"], 100, user_defined_symbols=[*chosen, "3,", ","]),
    }
