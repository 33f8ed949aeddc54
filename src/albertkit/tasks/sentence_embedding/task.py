"""Sentence embedding: a vector for each text, learned from sentences, pairs, triplets or scored pairs.

Letters: N examples, S sentences of each, H hidden size.
"""

from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader
from typing import ClassVar

import numpy as np

from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks.base import TrainableTask
from albertkit.tasks.features import Features, require_finite
from albertkit.tasks.sentence_embedding import long_texts, sentences, vectors
from albertkit.tasks.sentence_embedding.sentences import SentenceOptions, Sentences
from albertkit.tasks.tables import Table
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Record

_RETURNED = "sentence_embedding"


class SentenceEmbedding(TrainableTask[Sentences, SentenceOptions]):
    """Vectors of texts: contrastive from sentences, pairs or triplets, or by the scores of pairs."""

    name = "sentence-embedding"
    head = "ForSentenceEmbedding"
    heads = ("ForSentenceEmbedding",)
    options = SentenceOptions
    answer_options: ClassVar = {"normalize": None}
    encode_options: ClassVar = {"long": "long"}
    model_options: ClassVar = {"pooling": "sentence_pooling", "special_tokens": "sentence_special_tokens"}
    input_names: ClassVar = ("inputs", "sentences")

    def examples(self, *inputs: Json) -> tuple[Sentences, bool]:
        """Texts; a single one where it is a string. InputError for pairs."""
        if len(inputs) != 1:
            raise InputError(f"A vector is that of one text. Received: {len(inputs)} inputs. Pass a list of texts.")
        return sentences.given(inputs[0])

    def stream(self, source: str | BufferedReader | Table, options: SentenceOptions) -> Iterator[Sentences]:
        """The texts of a file or of lines, in parts; see `sentences.stream`."""
        return sentences.stream(source, options)

    def located(self, path: str, options: SentenceOptions) -> SentenceOptions:
        """With the column of the texts, and none of their pairs; see `texts.located`."""
        return sentences.located(path, options)

    def read(
        self, path: str, options: SentenceOptions, config: AlbertConfig | None = None
    ) -> tuple[Sentences, SentenceOptions]:
        """Sentences, pairs, triplets or scored pairs of a file; see `sentences.read`."""
        if options.long != "truncate" and options.train:
            raise InputError(
                f"A sentence to learn from is one row, which is cut at `max_length`. Received: long {options.long!r}. "
                "Leave it out, and pass it where the model answers."
            )
        found = sentences.read(path, options)
        if found.width == 1 and (config is not None or path == options.eval):
            raise InputError(
                f"Scores need pairs of sentences. {path} has sentences alone. Name pairs, best with a score, such as "
                "those of STS-B."
            )
        return found, options

    def config_keys(self, examples: Sentences, options: SentenceOptions) -> Record:
        """How vectors are made. InputError where nothing would tell which weights are best."""
        _require_evaluation(examples, options)
        found: Record = {"sentence_pooling": options.pooling} if options.pooling else {}
        if examples.width == 1:  # published models of version 2 have none
            found |= {"hidden_dropout_prob": options.dropout, "attention_probs_dropout_prob": options.dropout}
        return {
            **found,
            "sentence_special_tokens": options.special_tokens,
            "sentence_normalize": options.normalize,
            "sentence_temperature": options.temperature,
        }

    def encode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: Sentences,
        options: SentenceOptions,
        labelled: bool = False,
    ) -> Features:
        """Texts -> ids; see `long_texts` for those that are longer than `max_length`.

        To learn from, a row has all sentences of its example, one alone twice, whose two vectors differ by dropout.
        """
        long_texts.require_known(options.long)
        if not labelled or options.long == "windows":
            return long_texts.encode(tokenizer, examples.sentences, options)
        rows = [row * 2 if len(row) == 1 else row for row in examples.sentences]
        flat = [sentence for row in rows for sentence in row]
        encoded = tokenizer(flat, truncation=True, max_length=options.max_length)
        width = len(rows[0]) if rows else 2
        starts = range(0, len(flat), width)
        cut = [any(encoded.truncated[start : start + width]) for start in starts]
        ids, types = ([encoded[name][at : at + width] for at in starts] for name in ("input_ids", "token_type_ids"))
        if examples.scores is None:
            labels = vectors.groups(examples.sentences)
        else:
            labels = np.array(examples.scores, np.float32)
        return Features(ids, types, {"labels": labels}, truncated=sum(cut))

    def decode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: Sentences,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> list[np.ndarray]:
        """(H,) float32 for each text; `normalize`: of length 1, by default as the model says.

        InputError where they are not finite.
        """
        found = long_texts.merged(features, (row[_RETURNED] for row in outputs), config.hidden_size)
        require_finite(found)
        asked = options.get("normalize")
        return list(vectors.normalized(found) if (config.sentence_normalize if asked is None else asked) else found)

    def answer_kinds(self, config: AlbertConfig, **options: Json) -> Record:
        """Those of `records`."""
        return {"embedding": [np.float32]}

    def records(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: Sentences,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> Iterator[Record]:
        """{"embedding": the vector as a list} for each text."""
        for vector in self.decode(tokenizer, config, examples, features, outputs, **options):
            yield {"embedding": vector.tolist()}

    def arranged(self, answers: list[np.ndarray], is_single: bool, inputs: Json, options: Record) -> Json:
        """(H,) for a text, (N, H) for a list of them."""
        if is_single:
            return answers[0]
        return np.stack(answers) if answers else np.zeros((0, 0), np.float32)

    def score(
        self, config: AlbertConfig, examples: Sentences, features: Features, outputs: Iterable[Outputs]
    ) -> dict[str, float]:
        """Spearman and Pearson correlation of the cosines of pairs with their scores; see `vectors.scores`."""
        rows = (row[_RETURNED] for row in outputs)
        if features.example is None:
            found = _stacked(list(rows), config.hidden_size)
        else:
            found = long_texts.merged(features, rows, config.hidden_size)
            found = found.reshape(len(examples), -1, config.hidden_size)
        require_finite(found)
        return vectors.scores(found, examples)

    def metrics(self, config: AlbertConfig) -> tuple[str, ...]:
        """Those that all kinds of pairs have."""
        return ("spearman", "pearson")

    def describe(self, options: SentenceOptions, config: AlbertConfig) -> str:
        """How vectors are made."""
        special = "with" if options.special_tokens else "without"
        dropout = f", dropout {config.hidden_dropout_prob:g}" if config.hidden_dropout_prob else ""
        pooling = f"{options.pooling} pooling" if options.pooling else "pooling as the model has it, or else mean,"
        return f"{pooling} {special} special tokens{dropout}"


def _stacked(rows: Sequence[np.ndarray], size: int) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, 2, size), np.float32)


def _require_evaluation(examples: Sentences, options: SentenceOptions) -> None:
    """InputError where nothing would tell which weights are best."""
    if examples.width == 1 and not options.eval:
        raise InputError(
            "Sentences alone teach, and say nothing of how well. Name pairs with --eval, best with a score, such as "
            "those of STS-B."
        )
