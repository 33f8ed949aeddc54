"""Fill-mask: the best tokens for each [MASK] of a text, and training and evaluation on texts without masks."""

from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader
from typing import ClassVar

import numpy as np

from albertkit.backends import Outputs
from albertkit.batches import PretrainingBatch
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, UnusableRows
from albertkit.tasks import texts
from albertkit.tasks.base import Augment, TrainableTask
from albertkit.tasks.features import Features, not_finite
from albertkit.tasks.fill_mask import masked_rows, raw_texts
from albertkit.tasks.fill_mask.answers import answer, best, targets, words_of
from albertkit.tasks.fill_mask.masked_rows import Masking
from albertkit.tasks.fill_mask.raw_texts import MaskedLMOptions
from albertkit.tasks.inputs import require_count
from albertkit.tasks.tables import Table
from albertkit.tasks.texts import TextExamples
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Record


class FillMask(TrainableTask[TextExamples, MaskedLMOptions]):
    """Words for the gaps of texts, by the head of a masked language model, which raw text trains."""

    name = "fill-mask"
    head = "ForMaskedLM"
    heads = ("ForMaskedLM", "ForPreTraining")
    options = MaskedLMOptions
    sample: ClassVar = "A [MASK] of tea."
    answer_options: ClassVar = {"top_k": 5, "targets": None}
    lower_is_better: ClassVar = frozenset({"loss", "perplexity"})
    plain_text_task = "pseudo-perplexity"
    batch_tokens = 1024  # each may be a mask, and have scores for the whole vocabulary

    def examples(self, *inputs: Json) -> tuple[TextExamples, bool]:
        """Texts; a single one where it is a string. InputError for pairs."""
        return texts.given(*inputs)

    def stream(self, source: str | BufferedReader | Table, options: MaskedLMOptions) -> Iterator[TextExamples]:
        """The texts of a file or of lines, in parts; see `texts.stream`."""
        return texts.stream(source, options)

    def located(self, path: str, options: MaskedLMOptions) -> MaskedLMOptions:
        """With the columns of the texts; see `texts.located`."""
        return texts.located(path, options)

    def read(
        self, path: str, options: MaskedLMOptions, config: AlbertConfig | None = None
    ) -> tuple[TextExamples, MaskedLMOptions]:
        """The texts of a file; see `raw_texts.read`."""
        return raw_texts.read(path, options)

    def config_keys(self, examples: TextExamples, options: MaskedLMOptions) -> Record:
        """Nothing: the head has the size of the vocabulary, whatever the data is."""
        return {}

    def encode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TextExamples,
        options: MaskedLMOptions,
        labelled: bool = False,
    ) -> Features:
        """Texts -> ids, token types and the positions of masks. What is cut is counted.

        With labels the texts have no masks of their own: rows of them, see `masked_rows.of_texts`, get masks which are
        always the same. UnusableRows names the texts in which no mask is left; InputError for pairs of texts.
        """
        if labelled:
            unmasked = masked_rows.of_texts(tokenizer, examples.first, options)
            return Masking.of(tokenizer, options).fixed(unmasked)
        if examples.second is not None:
            raise InputError("A mask is filled in one text. Received: a pair. Join its texts, or leave one out.")
        if tokenizer.mask_token is None:
            raise InputError(
                "Filling in needs a tokenizer with a mask token. Received: one without. Pass mask_token to it."
            )
        encoded = tokenizer(examples.first, truncation=True, max_length=options.max_length)
        ids, mask_id = encoded["input_ids"], tokenizer.mask_token_id
        positions = [[place for place, token in enumerate(row) if token == mask_id] for row in ids]
        without = [number for number, found in enumerate(positions) if not found]
        if without:
            _refuse(tokenizer.mask_token, examples.first, without, options.max_length)
        truncated = sum(count > 0 for count in encoded.truncated)
        return Features(ids, encoded["token_type_ids"], positions=positions, truncated=truncated)

    def decode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TextExamples,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> list[Json]:
        """The `top_k` best answers for each text; with `targets`, among these words alone.

        A list of {"score", "token", "token_str", "sequence"}, best first, or a list of such lists where a text has
        several masks; see `answer`. InputError for a target that is no single piece of the vocabulary.
        """
        words, top_k = options.get("targets"), options.get("top_k")
        top_k = self.answer_options["top_k"] if top_k is None else top_k
        require_count("top_k", top_k)
        size = min(len(tokenizer), config.vocab_size)
        allowed = words_of(tokenizer, size) if words is None else np.array(targets(tokenizer, words))  # once for all
        found = []
        for ids, positions, row in zip(features.input_ids, features.positions or (), outputs, strict=True):
            if not np.isfinite(row["logits"]).all():
                raise not_finite(f"number {len(found) + 1} of {len(examples)} texts")
            found.append(answer(tokenizer, ids, positions, *best(row["logits"], allowed, top_k)))
        return found

    def augmentation(self, tokenizer: AlbertTokenizerBase, options: MaskedLMOptions) -> Augment | None:
        """Masks, drawn anew for every row in every epoch."""
        return Masking.of(tokenizer, options)

    def collate(self, features: Features, pad_id: int) -> PretrainingBatch:
        """Rows of one sequence each, of which the masked pieces are predicted and nothing else is computed."""
        return PretrainingBatch.of_rows(features.input_ids, features.token_type_ids, features.labels["labels"], pad_id)

    def score(
        self, config: AlbertConfig, examples: TextExamples, features: Features, outputs: Iterable[Outputs]
    ) -> dict[str, float]:
        """Loss, perplexity and accuracy of the masked pieces; see `masked_rows.scores`."""
        return masked_rows.scores(features, outputs)

    def metrics(self, config: AlbertConfig) -> tuple[str, ...]:
        """Those beside the loss."""
        return ("perplexity", "masked_accuracy")

    def describe(self, options: MaskedLMOptions, config: AlbertConfig) -> str:
        """How texts become rows, and what is masked in them."""
        rows = "a text a row" if options.line_by_line else f"packed into windows of {options.max_length} tokens"
        unit = "words" if options.whole_word_mask else "pieces"
        return f"{rows}, {options.mlm_probability:.0%} of the pieces masked as runs of 1 to {options.ngram} {unit}"

    def arranged(self, answers: list[Json], is_single: bool, inputs: Json, options: Record) -> Json:
        """The answers as Transformers arranges them: those of a list of one text are not in a list once more."""
        return answers[0] if is_single or (isinstance(inputs, list) and len(inputs) == 1) else answers


def _refuse(mask: str, found: Sequence[str], without: Sequence[int], max_length: int) -> None:
    first = found[without[0]]
    way_out = f"Write {mask} in its place."
    if mask in first:
        way_out = f"Its {mask} was cut off with all beyond {max_length} tokens: shorten the text."
    shown = first if len(first) <= 60 else f"{first[:57]}..."
    which = f"{len(without)} of {len(found)} without, the first of them number {without[0] + 1}"
    rule = f"A text must hold {mask} where a word is wanted."
    received = f"{which if len(found) > 1 else 'one without'}, {shown!r}"
    raise UnusableRows(f"{rule} Received: {received}. {way_out}", dict.fromkeys(without, rule))
