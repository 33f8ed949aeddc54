"""Feature extraction: the hidden states of a text's tokens, or its pooled state, as the encoder gives them.

Letters: L tokens of a text, H hidden size.
"""

from collections.abc import Iterable, Iterator
from io import BufferedReader
from typing import ClassVar

import numpy as np

from albertkit import weight_table
from albertkit.arrays import Tensors
from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import texts
from albertkit.tasks.base import Task
from albertkit.tasks.features import Features, require_finite
from albertkit.tasks.tables import Table
from albertkit.tasks.texts import TextExamples, TextOptions
from albertkit.tokenization import columns
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Record


class FeatureExtraction(Task[TextExamples, TextOptions]):
    """The last hidden states of each text or pair, with those of [CLS] and [SEP]."""

    name = "feature-extraction"
    head = "Model"
    heads = ("Model",)
    options = TextOptions
    answer_options: ClassVar = {"return_tensors": None, "pool": False}

    def examples(self, *inputs: Json) -> tuple[TextExamples, bool]:
        """Texts or pairs, or texts and as many second texts; see `inputs.pairs`."""
        return texts.given(*inputs)

    def stream(self, source: str | BufferedReader | Table, options: TextOptions) -> Iterator[TextExamples]:
        """The texts of a file or of lines, in parts; see `texts.stream`."""
        return texts.stream(source, options)

    def located(self, path: str, options: TextOptions) -> TextOptions:
        """With the columns of the texts; see `texts.located`."""
        return texts.located(path, options)

    def completed(self, config: AlbertConfig, tensors: Tensors) -> Tensors:
        """With a pooler of zeros where there is none: its states are then zeros, which nothing else gives."""
        shapes = weight_table.expected(config, self.head)
        missing = {name: shapes[name] for name in shapes if weight_table.part(name) == "pooler" and name not in tensors}
        return {**tensors, **{name: np.zeros(shape, np.float32) for name, shape in missing.items()}}

    def encode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TextExamples,
        options: TextOptions,
        labelled: bool = False,
    ) -> Features:
        """Texts or pairs -> ids and token types. What is cut is counted."""
        encoded = tokenizer(examples.first, examples.second, truncation=True, max_length=options.max_length)
        truncated = sum(count > 0 for count in encoded.truncated)
        return Features(encoded["input_ids"], encoded["token_type_ids"], truncated=truncated)

    def decode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TextExamples,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> list[Json]:
        """For each text (1, L, H) as nested lists, as Transformers answers; with `pool` the pooled state, (1, H).

        `return_tensors` True or "np" gives NumPy arrays in their place, "pt", "tf" or "jax" tensors. InputError where
        they are not finite, and for the pooled state of a model without a pooler.
        """
        asked = options.get("return_tensors")
        make = columns.array_maker("np" if asked is True else asked) if asked else np.ndarray.tolist
        return [make(found) for found in self._found(outputs, bool(options.get("pool")))]

    def answer_kinds(self, config: AlbertConfig, **options: Json) -> Record:
        """Those of `records`."""
        return {"features": [float] if options.get("pool") else [[float]]}

    def records(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TextExamples,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> Iterator[Record]:
        """{"features": (L, H), or (H,) with `pool`, as lists} for each text."""
        for found in self._found(outputs, bool(options.get("pool"))):
            yield {"features": found[0].tolist()}

    def _found(self, outputs: Iterable[Outputs], is_pooled: bool) -> Iterator[np.ndarray]:
        for row in outputs:
            found = row["pooler_output" if is_pooled else "last_hidden_state"][None]
            require_finite(found)
            if is_pooled and not found.any():
                raise InputError(
                    "A pooled state is made by the pooler. Received: `pool`, of a model that has none. Leave it out, "
                    "or ask for the task sentence-embedding."
                )
            yield found
