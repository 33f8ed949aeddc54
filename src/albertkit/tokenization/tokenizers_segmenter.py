"""TokenizersSegmenter: text <-> tokens by the tokenizers library."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import tokenizers
from tokenizers import AddedToken
from tokenizers.normalizers import Normalizer

from albertkit.errors import CheckpointError
from albertkit.tokenization.added_vocabulary import AddedVocabulary
from albertkit.tokenization.bounds import require_normalized
from albertkit.tokenization.encoding import TokenizedText
from albertkit.tokenization.guard import guarded
from albertkit.tokenization.normalizer import SURROGATE
from albertkit.tokenization.segmenter import concatenate


class TokenizersSegmenter:
    """A tokenizer of the tokenizers library, taken as it is but for settings of truncation and padding.

    See Segmenter. CheckpointError, naming the file, wherever the library fails.
    """

    fair = False
    random = False
    threads = -1

    def __init__(self, backend: tokenizers.Tokenizer, source: str = "tokenizer.json") -> None:
        """`source` names the file that the tokenizer was made from, for errors."""
        self.backend = backend
        self.source = source
        self._splitting: tokenizers.Tokenizer | None = None
        self._normalized = 0
        self.added = AddedVocabulary(do_lower_case=False)
        with guarded(source):
            backend.no_truncation()
            backend.no_padding()
            self.vocab_size = backend.get_vocab_size(with_added_tokens=False)
            for index, token in backend.get_added_tokens_decoder().items():
                self.added.add(token, index)

    def cleaned(self, text: str) -> str:
        """A text as the normalizer leaves it."""
        with guarded(self.source):
            normalizer = self.backend.normalizer  # compared with None: a sequence is false in tokenizers 0.20
            return text if normalizer is None else normalizer.normalize_str(text)

    def clean_with(self, normalizer: Normalizer) -> None:
        """Clean texts with this normalizer from now on."""
        self.backend.normalizer = normalizer
        self._splitting = None

    def add_tokens(self, tokens: Mapping[int, AddedToken]) -> None:
        """Take in added tokens. CheckpointError where the library gives one another id, or too long a normal form."""
        if not tokens:
            return
        with guarded(self.source):
            normalized = [token.content for token in tokens.values() if token.normalized]
            if normalized:
                normalizer = self.backend.normalizer
                self._normalized = require_normalized(self.source, normalizer, normalized, self._normalized)
            add_tokens_to(self.backend, tokens, self.source)
        for index, token in tokens.items():
            self.added.add(token, index)
        self._splitting = None

    def id_to_token(self, index: int) -> str | None:
        """The vocabulary's entry at `index`."""
        return self.backend.id_to_token(index) if index >= 0 else None

    def token_to_id(self, piece: str) -> int | None:
        """Where the vocabulary holds `piece`."""
        return self.backend.token_to_id(piece)

    def decode_pieces(self, pieces: Sequence[str]) -> str:
        """The text that pieces stand for."""
        decoder = self.backend.decoder
        if decoder is None:
            return " ".join(pieces)
        with guarded(self.source):
            return decoder.decode(list(pieces))

    def encode(self, texts: Sequence[str], align: bool, split_special_tokens: bool) -> list[TokenizedText]:
        """Tokens of each text. See Segmenter."""
        texts = [text if text.isascii() else SURROGATE.sub("\ufffd", text) for text in texts]
        with guarded(self.source):
            backend = self._splitting_special_tokens() if split_special_tokens else self.backend
            if not align:
                return [TokenizedText(row.ids) for row in backend.encode_batch_fast(texts, add_special_tokens=False)]
            rows = backend.encode_batch(texts, add_special_tokens=False)
        return [TokenizedText(row.ids, row.tokens, row.offsets, row.word_ids) for row in rows]

    def encode_flat(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of texts as text only (T,), and how many each has (S,). See Segmenter."""
        return concatenate([tokens.ids for tokens in self.encode(texts, align=False, split_special_tokens=True)])

    def _splitting_special_tokens(self) -> tokenizers.Tokenizer:
        """A second tokenizer, which takes special tokens for text: several threads may use both at once."""
        if self._splitting is None:
            splitting = tokenizers.Tokenizer.from_str(self.backend.to_str())
            splitting.encode_special_tokens = True
            self._splitting = splitting
        return self._splitting


def add_tokens_to(
    backend: tokenizers.Tokenizer, tokens: Mapping[int, AddedToken], source: str = "tokenizer.json"
) -> None:
    """Add tokens to an object of the tokenizers library. CheckpointError where that gives one of them another id."""
    # Many at once: the library builds its search for added tokens anew each time.
    for special, group in itertools.groupby(tokens.values(), key=lambda token: token.special):
        (backend.add_special_tokens if special else backend.add_tokens)(list(group))
    for index, token in tokens.items():
        given = backend.token_to_id(token.content)
        if given != index:
            raise CheckpointError(
                f"Added tokens must have consecutive ids behind the vocabulary. Received: {token.content!r} with id "
                f"{index}, where {source} has {given}."
            )
