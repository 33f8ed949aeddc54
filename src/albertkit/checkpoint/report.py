"""Which tensors of a checkpoint enter a model, and a report of what happened to each.

Names and shapes only; the same rules serve the three frameworks.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from albertkit import weight_table
from albertkit.arrays import Tensors
from albertkit.errors import WeightMismatch
from albertkit.typing import Json

Mismatch = tuple[str, tuple[int, ...], tuple[int, ...]]
"""(name, shape in the checkpoint, shape in the model)."""


@dataclass(frozen=True)
class LoadReport:
    """What became of each tensor when a checkpoint was loaded, by canonical name."""

    model: str
    """The class, such as `AlbertForMaskedLM`."""
    source: str
    """The file or folder that was read."""
    loaded: tuple[str, ...]
    missing: tuple[str, ...] = ()
    """Tensors of the model that the checkpoint lacks: they are newly initialised and must be trained."""
    unexpected: tuple[str, ...] = ()
    """Tensors of the checkpoint that the model has no use for."""
    mismatched: tuple[Mismatch, ...] = ()
    """Tensors of another shape than the model's, newly initialised because `ignore_mismatched_sizes` was given."""
    parameters: int = field(default=0, compare=False)
    """Numbers that were loaded, each tied tensor counted once."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """Sentences on what the files do not say and was inferred; see `Checkpoint.notes`."""

    @property
    def newly_initialized(self) -> tuple[str, ...]:
        """Every tensor that did not come from the checkpoint."""
        return (*self.missing, *(name for name, _, _ in self.mismatched))

    def loading_info(self) -> dict[str, list[Json]]:
        """What `output_loading_info` asks for, under the names of Transformers."""
        return {
            "missing_keys": sorted(self.missing),
            "unexpected_keys": sorted(self.unexpected),
            "mismatched_keys": sorted(self.mismatched),
            "error_msgs": [],
        }

    def require_complete(self) -> None:
        """WeightMismatch where anything is newly initialised: for a model that is to answer, not to be trained."""
        if self.newly_initialized:
            raise WeightMismatch(
                f"A model that answers needs all its weights. {self.source} lacks {', '.join(self.newly_initialized)} "
                f"of {self.model}. Train this head first, or give a checkpoint that has it."
            )

    def announcement(self) -> str | None:
        """One line for a person where something is newly initialised, else None."""
        if not self.newly_initialized:
            return None
        why = "".join(
            f" {name} has the shape {stored} in the file and {expected} in the model."
            for name, stored, expected in self.mismatched
        )
        return (
            f"{self.model}: some weights were not in {self.source} and are newly initialised: "
            f"{', '.join(self.newly_initialized)}.{why} Train the model before you trust its answers."
        )

    def __str__(self) -> str:
        lines = [f"{self.model} from {self.source}: {len(self.loaded)} tensors, {self.parameters:,} parameters loaded"]
        lines += [f"  newly initialised: {name}" for name in self.missing]
        lines += [
            f"  newly initialised: {name}, {stored} read, {expected} needed"
            for name, stored, expected in self.mismatched
        ]
        lines += [f"  unused: {name}" for name in self.unexpected]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


def fit(
    model: str,
    expected: weight_table.Shapes,
    tied: Mapping[str, str],
    tensors: Mapping[str, np.ndarray],
    source: str,
    ignore_mismatched_sizes: bool = False,
) -> tuple[Tensors, LoadReport]:
    """The tensors that enter a model, and the report.

    `model` is its class name, `expected` its {canonical name: shape}, `tied` as from `weight_table.tied`, and `tensors`
    what a checkpoint holds. A tied tensor takes the value of its partner, whichever of the two is there.

    Raises WeightMismatch where a tensor of the encoder is missing, or, unless `ignore_mismatched_sizes` is set, where a
    shape differs or the checkpoint has layers that the model does not run.
    """
    tensors = _with_prefix(tensors, expected)
    partners = {**tied, **{other: name for name, other in tied.items()}}
    chosen: Tensors = {}
    missing: list[str] = []
    mismatched: list[Mismatch] = []
    for name, shape in expected.items():
        tensor = tensors.get(name, tensors.get(partners.get(name, name)))
        if tensor is None:
            missing += [] if name in tied else [name]
        elif tuple(tensor.shape) != tuple(shape):
            mismatched.append((name, tuple(tensor.shape), tuple(shape)))
        else:
            chosen[name] = tensor
    used = {*expected, *(partners[name] for name in expected if name in partners and name not in tensors)}
    report = LoadReport(
        model=model,
        source=source,
        loaded=tuple(chosen),
        missing=tuple(missing),
        unexpected=tuple(sorted(set(tensors) - used)),
        mismatched=tuple(mismatched),
        parameters=sum(math.prod(expected[name]) for name in chosen if name not in tied),
    )
    _require_encoder(report)
    if not ignore_mismatched_sizes:
        _require_equal_shapes(report)
        _require_no_other_layers(report)
    return chosen, report


def _with_prefix(tensors: Mapping[str, np.ndarray], expected: weight_table.Shapes) -> Mapping[str, np.ndarray]:
    """Tensors of a bare encoder under the model's names.

    It is stored without the prefix `albert.`, which the table puts back; but it knows no layers that a subclass added,
    nor the name that a class of a person's own gives to the ALBERT inside it.
    """
    bare = {name.removeprefix("albert."): name for name in expected if name not in tensors}
    holders = weight_table.holders(expected)
    if len(holders) == 1 and (holder := holders.pop()):
        bare |= {weight_table.canonical_name(name, holder) or name: name for name in bare.values()}
    return {name if name in expected else bare.get(name, name): tensor for name, tensor in tensors.items()}


def _of_encoder(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if weight_table.part(name) == "encoder" and weight_table.is_known(name)]


def _require_encoder(report: LoadReport) -> None:
    if lost := _of_encoder(report.missing):
        have = f"It holds {', '.join(report.unexpected[:3])}, ... " if report.unexpected else ""
        raise WeightMismatch(
            f"A checkpoint must hold every tensor of the encoder. {report.source} lacks {len(lost)}, among them "
            f"{lost[0]}. {have}{_advice(report, lost)}"
        )


_LAYER = re.compile(r"albert_layer_groups\.\d+\.albert_layers\.\d+")
_LORA = re.compile(r"\.lora_[ABE]|\.base_layer\.")
_OTHERS = {
    "a DistilBERT": r"(^|\.)distilbert\.|transformer\.layer\.\d+\.attention\.q_lin",
    "a RoBERTa": r"(^|\.)roberta\.|(^|\.)lm_head\.layer_norm\.",
    "a DeBERTa": r"(^|\.)deberta\.|rel_embeddings",
    "an ELECTRA": r"(^|\.)electra\.|discriminator_predictions|embeddings_project\.",
    "a T5": r"(^|\.)block\.\d+\.layer\.\d+\.SelfAttention",
    "an MPNet": r"(^|\.)mpnet\.|relative_attention_bias",
    "a GPT-2": r"(^|\.)h\.\d+\.attn\.c_attn",
    "an XLNet": r"(^|\.)transformer\.layer\.\d+\.rel_attn",
    "a ModernBERT": r"(^|\.)layers\.\d+\.attn\.Wqkv",
    "a BERT": r"(^|\.)encoder\.layer\.\d+\.|(^|\.)bert\.",
}
"""What stands in the names of other models, the particular before the general."""


def _advice(report: LoadReport, lost: Sequence[str]) -> str:
    """What to do about a checkpoint that lacks tensors of the encoder, by what it holds."""
    names = [name.replace("_._", ".").replace("/", ".") for name in (*report.unexpected, *report.loaded)]
    if any(map(_LORA.search, names)):
        return "It has LoRA layers: merge them into the model (`merge_and_unload` of PEFT), and save that."
    holders = sorted(weight_table.holders(names))
    if len(holders) > 1:
        behind = " and ".join(f"`{holder}`" if holder else "nothing" for holder in holders)
        return f"Its names are those of {len(holders)} ALBERTs, behind {behind}: save the one that is wanted by itself."
    for kind, pattern in _OTHERS.items():
        if any(re.search(pattern, name) for name in names):
            return f"By its names it is {kind}, or a model like it: name a checkpoint of an ALBERT."
    if not _of_encoder(report.loaded):
        return "None of its names is that of an ALBERT: check that it is the right file, and the whole model."
    held = {match[0] for match in map(_LAYER.search, names) if match}
    if held and all((match := _LAYER.search(name)) and match[0] not in held for name in lost):
        return "Check that `num_hidden_groups` and `inner_group_num` of config.json belong to it."
    return "It is a part of an ALBERT: save the whole model, or repeat the download or copy."


def _require_equal_shapes(report: LoadReport) -> None:
    if not report.mismatched:
        return
    rows = "; ".join(f"{name}: checkpoint {stored}, model {expected}" for name, stored, expected in report.mismatched)
    hint = (
        "The vocabulary size of config.json and the weights disagree: one of the two belongs to another model."
        if any("word_embeddings" in name for name, _, _ in report.mismatched)
        else "If they are to be newly initialised, pass ignore_mismatched_sizes=True."
    )
    raise WeightMismatch(
        f"Each tensor must have the shape that the config gives it, to be loaded into {report.model}. Received, from "
        f"{report.source}: {rows}. {hint}"
    )


def _require_no_other_layers(report: LoadReport) -> None:
    if surplus := _of_encoder(report.unexpected):
        raise WeightMismatch(
            f"A model must run every layer that its checkpoint has. {report.source} holds {len(surplus)} tensors of "
            f"other layers, among them {surplus[0]}. Correct `num_hidden_groups` and `inner_group_num` of its config, "
            "or leave layers out on purpose with ignore_mismatched_sizes=True."
        )
