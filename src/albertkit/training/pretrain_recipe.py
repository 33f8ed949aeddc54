"""The recipe of a pre-training run."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from albertkit.training.recipe import BaseRecipe, Count, OptimizationSection, Part, Positive, Section
from albertkit.typing import Record


class ModelSection(Section):
    """Which model to start from."""

    name: str = "base"
    """A size for a newly initialised model, or a checkpoint (folder or hub name) to go on from."""
    attention_init: Literal["random", "local"] = "random"
    """How attention of a new model begins: at random, or with heads that attend nearby, and so learns sooner."""
    config: Record = Field(default={})
    """Keys of AlbertConfig to override."""


class DataSection(Section):
    """Which corpus, and what is asked of the model."""

    corpus: str = ""
    """Folder that `albertkit corpus build` made. Its tokenizer becomes the model's."""
    eval: str = ""
    """Another such folder to evaluate on; default: a part of the corpus is held out."""
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.005
    """Part of the tokens that is held out without one: the last documents of shards, at least one of them."""
    length: Annotated[int, Field(ge=16)] = 512
    """Tokens of a row, [CLS] and [SEP] among them."""
    objective: Literal["mlm", "mlm+sop", "mlm+nsp"] = "mlm+sop"
    """Masked pieces alone, or with the order of two texts, or with whether they belong together."""
    short_seq_prob: Part = 0.1
    """Part of the sequences that is shorter than a row."""
    ngram: Annotated[int, Field(ge=1, le=20)] = 3
    """Words that are masked together at most."""
    masked_lm_prob: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of the pieces that is to be predicted."""
    replacement: Literal["piece", "span"] = "piece"
    """Whether 80/10/10 is drawn for every piece, as in the original, or once for every span."""


class TrainingSection(OptimizationSection):
    """How to pre-train. The defaults are those of the original (arXiv 1909.11942, section 4.1), but for `decay_start`.

    A rate of 0 is 0.00176 at 4096 rows of 512 tokens, and goes with the root of the tokens of a step elsewhere.
    """

    steps: Positive = 125_000
    batch_size: Positive = 4096
    """Rows a step, over all parts and processes."""
    optimizer: Literal["lamb", "adamw", "muon"] = "lamb"
    """Muon changes matrices by what is orthogonal, and all else as AdamW does, at rates that suit AdamW."""
    schedule: Literal["linear", "polynomial", "cosine", "constant"] = "linear"
    """Course of the rate after the warm-up."""
    power: Annotated[float, Field(gt=0)] = 1.0
    """Of the polynomial."""
    decay_start: Literal["warmup", "zero"] = "warmup"
    """Since when the decay counts: the end of the warm-up, or step 0, as in the original."""
    warmup_ratio: Part = 0.025
    """Share of the steps in which the rate rises."""
    bias_correction: Literal["auto", "on", "off"] = "auto"
    """Of the optimizer's moments; auto: off for LAMB, as in the original, on for others."""
    gradient_checkpointing: bool = False
    """Compute each layer a second time in the backward pass instead of keeping what it gave: less memory, more time."""
    sharded: bool = False
    """Several processes each keep a share of weights and optimizer instead of the whole: for xxlarge."""
    loss_spike_factor: Annotated[float, Field(ge=0)] = 10.0
    """Skip a step whose gradient norm is above this many times the usual one; 0: never."""
    max_skipped_steps: Count = 10
    """Steps in a row that may be skipped, for a spike or for numbers that are not finite, before the run stops."""
    evaluation_rows: Positive = 512
    """Rows to evaluate on, the same every time. An `evaluate_every` of 0 makes fifty evaluations in all."""


class PretrainRecipe(BaseRecipe):
    """A whole run of pre-training."""

    # Where a corpus lies is free, for what it holds is compared; and a guard may have to let a run pass.
    _FREE: ClassVar[frozenset[tuple[str, ...]]] = frozenset(
        {("data", "corpus"), ("data", "eval"), ("training", "loss_spike_factor"), ("training", "max_skipped_steps")}
    )

    _STEPS: ClassVar[str] = "steps"

    task: Literal["pretraining"] = "pretraining"
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    training: TrainingSection = TrainingSection()
