"""The weight table: every tensor of every ALBERT model, once.

A canonical name is the name published in PyTorch checkpoints, and also the attribute path of the parameter in all
frameworks. `{g}` stands for the group and `{j}` for the inner layer of a template. Shapes are written in letters:

    V vocabulary · P positions · T token types · E embedding size · H hidden size · F feed-forward size · C classes
    2H twice the hidden size, of two states end to end

Shape checks before loading, parameter counts, tied weights and the importers of other formats all derive from here.
Source of names and shapes: the published checkpoints; of the architecture: arXiv 1909.11942, section 3.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, Protocol

Kind = Literal["dense", "embedding", "norm", "bias"]
Shapes = dict[str, tuple[int, ...]]


class ModelConfig(Protocol):
    """What the table asks of a config; an `AlbertConfig` has it all."""

    vocab_size: int
    max_position_embeddings: int
    type_vocab_size: int
    embedding_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_groups: int
    inner_group_num: int
    tie_word_embeddings: bool

    @property
    def num_labels(self) -> int:
        """C, the number of classes."""
        ...


class Weight(NamedTuple):
    """One row: the template of a name, the kind that decides how a framework stores it, and its shape in letters."""

    name: str
    kind: Kind
    shape: str


def _embedding(name: str, rows: str) -> list[Weight]:
    return [Weight(f"{name}.weight", "embedding", f"{rows} E")]


def _dense(name: str, shape: str) -> list[Weight]:
    return [Weight(f"{name}.weight", "dense", shape), Weight(f"{name}.bias", "bias", shape.split()[0])]


def _norm(name: str, width: str) -> list[Weight]:
    return [Weight(f"{name}.weight", "norm", width), Weight(f"{name}.bias", "norm", width)]


_LAYER = "albert.encoder.albert_layer_groups.{g}.albert_layers.{j}"

TABLE: tuple[Weight, ...] = (
    *_embedding("albert.embeddings.word_embeddings", "V"),
    *_embedding("albert.embeddings.position_embeddings", "P"),
    *_embedding("albert.embeddings.token_type_embeddings", "T"),
    *_norm("albert.embeddings.LayerNorm", "E"),
    *_dense("albert.encoder.embedding_hidden_mapping_in", "H E"),
    *_norm(f"{_LAYER}.full_layer_layer_norm", "H"),
    *_dense(f"{_LAYER}.attention.query", "H H"),
    *_dense(f"{_LAYER}.attention.key", "H H"),
    *_dense(f"{_LAYER}.attention.value", "H H"),
    *_dense(f"{_LAYER}.attention.dense", "H H"),
    *_norm(f"{_LAYER}.attention.LayerNorm", "H"),
    *_dense(f"{_LAYER}.ffn", "F H"),
    *_dense(f"{_LAYER}.ffn_output", "H F"),
    *_dense("albert.pooler", "H H"),
    Weight("predictions.bias", "bias", "V"),
    *_norm("predictions.LayerNorm", "E"),
    *_dense("predictions.dense", "E H"),
    *_dense("predictions.decoder", "V E"),
    *_dense("sop_classifier.classifier", "2 H"),
    *_dense("classifier", "C H"),
    *_dense("qa_outputs", "2 H"),
    *_dense("start_logits.dense", "1 H"),
    *_dense("end_logits.dense_0", "H 2H"),
    *_norm("end_logits.LayerNorm", "H"),
    *_dense("end_logits.dense_1", "1 H"),
    *_dense("answer_class.dense_0", "H 2H"),
    Weight("answer_class.dense_1.weight", "dense", "1 H"),
)

TIED = {
    "predictions.decoder.bias": "predictions.bias",
    "predictions.decoder.weight": "albert.embeddings.word_embeddings.weight",
}
"""Tensors that are another one under a second name; the weight is not where the config unties it."""

# Which parts of the table a model holds. A part is the first component of a name, with `albert.` split in two.
PARTS: Mapping[str, tuple[str, ...]] = {
    "Model": ("encoder", "pooler"),
    "ForPreTraining": ("encoder", "pooler", "predictions", "sop_classifier"),
    "ForMaskedLM": ("encoder", "predictions"),
    "ForSequenceClassification": ("encoder", "pooler", "classifier"),
    "ForMultipleChoice": ("encoder", "pooler", "classifier"),
    "ForTokenClassification": ("encoder", "classifier"),
    "ForQuestionAnswering": ("encoder", "qa_outputs"),
    "ForQuestionAnsweringBeamSearch": ("encoder", "start_logits", "end_logits", "answer_class"),
    "ForSentenceEmbedding": ("encoder",),
}

_INDICES = re.compile(r"albert_layer_groups\.(\d+)\.albert_layers\.(\d+)")
_ROWS: dict[str, Weight] = {row.name: row for row in TABLE}
_WORDS = "embeddings.word_embeddings.weight"


def _template(name: str) -> str:
    return _INDICES.sub("albert_layer_groups.{g}.albert_layers.{j}", name)


def part(name: str) -> str:
    """The part that a canonical name or template belongs to: `encoder`, `pooler`, `predictions`, ..."""
    first, _, rest = name.partition(".")
    if first != "albert":
        return first
    return "pooler" if rest.startswith("pooler.") else "encoder"


def kind(name: str) -> Kind:
    """The kind of the tensor called `name`. KeyError where the table has no such row."""
    return _ROWS[_template(name)].kind


def is_hidden_matrix(name: str) -> bool:
    """Whether a tensor leads from states to states: both of its sides are widths, and none is a vocabulary or classes.

    False where the table has no such row.
    """
    row = _ROWS.get(_template(name))
    return row is not None and row.kind == "dense" and {"E", "H", "F", "2H"}.issuperset(row.shape.split())


def letters(name: str) -> list[str]:
    """The shape of the tensor called `name` in letters. KeyError where the table has no such row."""
    return _ROWS[_template(name)].shape.split()


def is_known(name: str) -> bool:
    """Whether the table has a row for the tensor called `name`; it has none for layers that a subclass added."""
    return _template(name) in _ROWS


def encoders(names: Iterable[str]) -> list[str]:
    """What stands before the names of each encoder among those of some tensors: `albert.` unless it was named else."""
    found = (name.removesuffix(_WORDS) for name in names if name.endswith(_WORDS))
    return [prefix for prefix in found if prefix.endswith(".") or not prefix]


def head_prefix(encoder: str) -> str | None:
    """What stands before the names of a head on an encoder whose names begin so; None where the encoder is bare.

    It is "" for the model itself, and `mlm.` for an AlbertForMaskedLM that another model has inside as `mlm`.
    """
    prefix = encoder.removesuffix("albert.")
    return prefix if prefix != encoder and (not prefix or prefix.endswith(".")) else None


def head_prefixes(names: Iterable[str]) -> list[str]:
    """The same for every encoder among some tensors that is not bare."""
    return [prefix for encoder in encoders(names) if (prefix := head_prefix(encoder)) is not None]


def known_names(names: Iterable[str]) -> dict[str, str]:
    """The canonical name of each tensor of a model that the table knows, in whatever ALBERT inside it stands."""
    names = list(names)
    found: dict[str, str] = {}
    for prefix in encoders(names):
        found |= {name: inside for name in names if (inside := name_inside(name, prefix))}
    for prefix in ("", *head_prefixes(names)):
        found |= {name: own for name in names if name.startswith(prefix) and is_known(own := name[len(prefix) :])}
    return found


def name_inside(name: str, prefix: str) -> str | None:
    """The canonical name of a tensor of the encoder, or of its pooler, whose names begin with `prefix`; else None."""
    inside = f"albert.{name[len(prefix) :]}"
    return inside if name.startswith(prefix) and is_known(inside) else None


def expected(config: ModelConfig, model: str) -> Shapes:
    """Names and shapes of all tensors of `Albert{model}`, in the table's order.

    `model` is a key of `PARTS`. Tied tensors are listed: what a checkpoint may leave out is said by `tied`.
    """
    sizes = {
        "V": config.vocab_size,
        "P": config.max_position_embeddings,
        "T": config.type_vocab_size,
        "E": config.embedding_size,
        "H": config.hidden_size,
        "F": config.intermediate_size,
        "C": 1 if model == "ForMultipleChoice" else config.num_labels,
        "2": 2,
        "1": 1,
        "2H": 2 * config.hidden_size,
    }
    return {
        name: tuple(sizes[letter] for letter in row.shape.split())
        for name, row in _instances(config)
        if part(name) in PARTS[model]
    }


def _instances(config: ModelConfig) -> Iterator[tuple[str, Weight]]:
    """Every tensor that the config calls for: (name, row)."""
    first = next(row for row in TABLE if "{g}" in row.name)
    for row in TABLE:
        if row is first:
            for g in range(config.num_hidden_groups):
                for j in range(config.inner_group_num):
                    yield from ((layer.name.format(g=g, j=j), layer) for layer in TABLE if "{g}" in layer.name)
        elif "{g}" not in row.name:
            yield row.name, row


def tied(config: ModelConfig) -> dict[str, str]:
    """Tensors that are another tensor under a second name, and that other name. They are stored once."""
    return {name: other for name, other in TIED.items() if config.tie_word_embeddings or name.endswith(".bias")}


def in_every_head(tied: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """What is `tied`, in a model whose tensors have these names, and in those with heads that it has inside."""
    inside = {prefix + name: prefix + tied[name] for prefix in head_prefixes(names) for name in tied}
    return {**tied, **inside}


def count(config: ModelConfig, model: str = "Model") -> int:
    """Parameters of `Albert{model}`, each tied tensor counted once."""
    skip = tied(config)
    return sum(math.prod(shape) for name, shape in expected(config, model).items() if name not in skip)


_WRAPPERS = re.compile(r"(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""What torch.compile, FSDP and activation checkpointing put into names, before those of what they wrap."""
_LAYERS = re.compile(r"((?:[^.]+\.)*?)(?:albert\.)?encoder\.albert_layer_groups\.")


def holders(names: Iterable[str]) -> set[str]:
    """What stands before the names of each ALBERT in a file of PyTorch: `model.`, or "" for nothing."""
    found = (_LAYERS.match(_WRAPPERS.sub("", name)) for name in names)
    return {match[1] for match in found if match}


def canonical_name(name: str, holder: str = "") -> str | None:
    """The canonical name of a tensor in a file of PyTorch, or None for a buffer that carries no weight.

    Takes off what wrappers put in front (`module.`, `_orig_mod.`), translates the gamma/beta of old files, and puts
    `albert.` in front of names written by a bare `AlbertModel`. So with what stands behind `holder`, see `holders`,
    where the table knows that.
    """
    name = _WRAPPERS.sub("", name)
    if holder and name.startswith(holder):
        held = canonical_name(name.removeprefix(holder))
        if held is None or is_known(held):
            return held
    name = name.removeprefix("module.")
    if name.endswith((".position_ids", ".token_type_ids")):
        return None
    name = re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", name))
    return f"albert.{name}" if name.split(".")[0] in ("embeddings", "encoder", "pooler") else name
