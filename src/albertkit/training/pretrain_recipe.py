"""The recipe of a pre-training run."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from albertkit.training.recipe import Amount, BaseRecipe, Count, Part, Positive, Section


class ModelSection(Section):
    """Which model to start from."""

    name: str = "base"
    """A size for a fresh model, or a checkpoint (folder or hub name) to go on from."""
    attention: Literal["drawn", "local"] = "drawn"
    """How that of a fresh model begins: as drawn at random, or with heads that attend nearby, and so learns sooner."""
    config: dict[str, Any] = Field(default={})
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
    masked: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Part of the pieces that is to be foretold."""
    replacement: Literal["piece", "span"] = "piece"
    """Whether 80/10/10 is drawn for every piece, as in the original, or once for every span."""


class TrainingSection(Section):
    """How to train. The defaults are those of the original (arXiv 1909.11942, section 4.1), but for `clock`."""

    steps: Positive = 125_000
    batch_size: Positive = 4096
    """Rows a step, over all parts and processes."""
    accumulation: Positive = 1
    """Parts in which a process computes its share of a step."""
    optimizer: Literal["lamb", "adamw"] = "lamb"
    learning_rate: Amount = 0.0
    """Peak of the rate; 0: 0.00176 at 4096 rows of 512 tokens, and with the root of the tokens elsewhere."""
    schedule: Literal["linear", "polynomial", "cosine", "constant"] = "linear"
    """Course of the rate after the warm-up."""
    power: Annotated[float, Field(gt=0)] = 1.0
    """Of the polynomial."""
    clock: Literal["warmup", "start"] = "warmup"
    """Since when the descent counts: the end of the warm-up, or the start of the run, as in the original."""
    warmup: Part = 0.025
    """Part of the steps in which the rate rises."""
    weight_decay: Amount = 0.01
    """Not applied to biases and norms."""
    beta1: Part = 0.9
    beta2: Part = 0.999
    epsilon: Annotated[float, Field(gt=0)] = 1e-6
    bias_correction: Literal["auto", "on", "off"] = "auto"
    """Of the optimizer's moments; auto: on for AdamW, off for LAMB, as in the original."""
    max_gradient_norm: Amount = 1.0
    """0: no clipping."""
    averaging: Part = 0.0
    """Decay of the running mean of the weights, which is evaluated and kept in their place; 0: none."""
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpointing: bool = False
    """Compute each layer a second time in the backward pass instead of keeping what it gave: less memory, more time."""
    sharded: bool = False
    """Several processes each keep a share of weights and optimizer instead of the whole: for xxlarge."""
    spike: Annotated[float, Field(ge=0)] = 10.0
    """Leave a step out whose gradient norm is above this many times the usual one; 0: never."""
    forgiven: Count = 10
    """Steps in a row that may be left out, for a spike or for numbers that are not finite, before the run stops."""
    evaluate_every: Count = 0
    """Steps between evaluations; 0: fifty in all."""
    evaluation_rows: Positive = 512
    """Rows to evaluate on, the same every time."""
    save_every: Count = 0
    """Steps between checkpoints to resume from; 0: after each evaluation."""


class PretrainRecipe(BaseRecipe):
    """A whole run of pre-training."""

    # Where a corpus lies is free, for what it holds is compared; and a guard may have to let a run pass.
    _FREE: ClassVar[frozenset[tuple[str, ...]]] = frozenset(
        {("data", "corpus"), ("data", "eval"), ("training", "spike"), ("training", "forgiven")}
    )

    task: Literal["pretraining"] = "pretraining"
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    training: TrainingSection = TrainingSection()
