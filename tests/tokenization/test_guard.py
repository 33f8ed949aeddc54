import pytest
import tokenizers

from albertkit.errors import CheckpointError, InputError
from albertkit.tokenization import fast
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.guard import guarded
from albertkit.tokenization.sentencepiece import AlbertTokenizer

# The library's own panics derive from BaseException and have this name.
Panic = type("PanicException", (BaseException,), {})


@pytest.mark.parametrize("error", [Panic("index out of bounds"), RuntimeError("no"), ValueError(), KeyError("x")])
def test_whatever_a_library_raises_names_the_file(error):
    words = f"failed over some/file: {type(error).__name__}"
    with pytest.raises(CheckpointError, match=words) as caught, guarded("some/file"):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(2), MemoryError(), InputError("ours")])
def test_what_is_not_of_the_file_passes(error):
    with pytest.raises(type(error)) as caught, guarded("some/file"):
        raise error
    assert caught.value is error


class Panicking:
    """A tokenizer of the library that panics in one of its methods."""

    def __init__(self, backend, method):
        self._backend, self._method = backend, method

    def __getattr__(self, name):
        if name != self._method:
            return getattr(self._backend, name)

        def panic(*args, **kwargs):
            raise Panic("called `Option::unwrap()` on a `None` value")

        return panic


def test_a_panic_while_a_file_is_read_names_it(tmp_path, monkeypatch):
    file = tmp_path / "tokenizer.json"
    file.write_text("{}")

    class Library:
        class Tokenizer:
            @staticmethod
            def from_buffer(content):
                raise Panic("not implemented")

    monkeypatch.setattr(fast, "tokenizers", Library)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: PanicException: not implemented"):
        AlbertTokenizerFast(tokenizer_file=file)


@pytest.mark.parametrize("method", ["no_truncation", "get_vocab_size", "encode_batch", "encode_batch_fast"])
def test_a_panic_in_later_use_names_the_file_too(data, monkeypatch, method):
    backend = tokenizers.Tokenizer.from_file(str(data / "tokenizer.json"))
    monkeypatch.setattr(fast, "_read", lambda path: Panicking(backend, method))
    with pytest.raises(CheckpointError, match=r"failed over .*tokenizer\.json: PanicException"):
        AlbertTokenizerFast(tokenizer_file=data / "tokenizer.json")(
            "some text", return_offsets_mapping=method == "encode_batch"
        )


class FailingProcessor:
    """SentencePiece, failing over whatever it is given."""

    def encode(self, texts, **options):
        raise RuntimeError("INTERNAL: no")

    decode_pieces = encode


@pytest.mark.parametrize(
    "use",
    [
        lambda tokenizer: tokenizer("some text"),
        lambda tokenizer: tokenizer(["some text", "another"]),
        lambda tokenizer: tokenizer("some text", return_offsets_mapping=True),
        lambda tokenizer: tokenizer._segmenter.encode_flat(["some text"]),
        lambda tokenizer: tokenizer.convert_tokens_to_string(["a"]),
    ],
)
def test_what_sentencepiece_raises_in_use_names_the_file(data, monkeypatch, use):
    tokenizer = AlbertTokenizer(data / "spiece.model")
    monkeypatch.setattr(tokenizer._segmenter, "processor", FailingProcessor())
    with pytest.raises(CheckpointError, match=r"failed over .*spiece\.model: RuntimeError: INTERNAL: no"):
        use(tokenizer)
