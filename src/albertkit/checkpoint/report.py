"""Which tensors of a checkpoint enter a model, and a report of what happened to each.

Names and shapes only; the same rules serve the three frameworks.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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

    def unused(self, architectures: Sequence[str] | None) -> str | None:
        """One line on tensors of the file that a person would expect to be used and that are not, else None.

        They are those of a file that the same class wrote, and a decoder that the config ties to the word embeddings.

        `architectures` are the classes that wrote the file, by its config. What the table knows is another head, or a
        pooler, which files of several heads hold.
        """
        if apart := [name for name in self.unexpected if name in weight_table.TIED and name in self.loaded]:
            return (
                f"{self.model}: {self.source} holds {apart[0]} with other values than {weight_table.TIED[apart[0]]}, "
                "which the config ties it to: those of the latter are used. To use its own, pass "
                "tie_word_embeddings=False."
            )
        unknown = [name for name in self.unexpected if not weight_table.is_known(name)]
        name = self.model.removeprefix("TF").removeprefix("Flax")
        if not unknown or name not in (architectures or ()):
            return None
        return (
            f"{self.model}: {self.source} was written by this class and holds tensors that it does not use: "
            f"{', '.join(unknown)}. Layers that were added to a model must be built in the constructor of a subclass."
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
        counts = Counter(map(weight_table.part, self.unexpected))
        parts = ", ".join(f"{count} of {part}" for part, count in counts.items())
        lines += [f"  unused: {parts}; `albertkit info --tensors` names all tensors"] if parts else []
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
    tensors = _under_own_names(tensors, expected, source)
    tied = weight_table.in_every_head(tied, expected)
    partners = {**tied, **{other: name for name, other in tied.items()}}
    chosen: Tensors = {}
    missing: list[str] = []
    mismatched: list[Mismatch] = []
    apart = _decoder_apart(tied, tensors)
    for name, shape in expected.items():
        own = None if name in apart else tensors.get(name)
        tensor = tensors.get(partners.get(name, name)) if own is None else own
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
        unexpected=tuple(sorted({*(set(tensors) - used), *apart})),
        mismatched=tuple(mismatched),
        parameters=sum(math.prod(expected[name]) for name in chosen if name not in tied),
    )
    _require_encoder(report, expected)
    if not ignore_mismatched_sizes:
        _require_equal_shapes(report)
        _require_no_other_layers(report, expected)
    return chosen, report


def _decoder_apart(tied: Mapping[str, str], tensors: Mapping[str, np.ndarray]) -> list[str]:
    """Tied tensors that a checkpoint holds with other values than those that they are tied to."""
    both = [(name, tensors[name], tensors[other]) for name, other in tied.items() if {name, other} <= tensors.keys()]
    return [name for name, one, other in both if one is not other and not np.array_equal(one, other)]


def _under_own_names(
    tensors: Mapping[str, np.ndarray], expected: weight_table.Shapes, source: str
) -> Mapping[str, np.ndarray]:
    """Tensors under the names that a model has for them.

    A bare encoder is stored without the prefix `albert.`, which the table puts back; but it knows no layers that a
    subclass added. The only encoder of a checkpoint enters those of the model whatever both are called, as in classes
    with a `self.bert`, unless the checkpoint has tensors under their very names. With it goes its head, into classes
    with a `self.mlm = AlbertForMaskedLM(config)`.
    """
    bare = {name.removeprefix("albert."): name for name in expected if name not in tensors}
    named = {name if name in expected else bare.get(name, name): tensor for name, tensor in tensors.items()}
    stored = weight_table.encoders(named)
    lost = [prefix for prefix in weight_table.encoders(expected) if prefix not in stored]
    if not lost or len(stored) != 1:
        return named
    inside = {name: found for name in named if (found := weight_table.name_inside(name, stored[0]))}
    is_wanted = stored[0] in weight_table.encoders(expected)
    entered = {name: tensor for name, tensor in named.items() if is_wanted or name not in inside}
    for number, prefix in enumerate(lost):
        is_first = number == 0 and not is_wanted  # two encoders must not share the memory of their weights
        head = _moved_head(named, expected, stored[0], prefix, source)
        encoder = {name: prefix + found.removeprefix("albert.") for name, found in inside.items()}
        for name, target in {**encoder, **head}.items():
            entered[target] = named[name] if is_first else named[name].copy()
        for name in head:
            entered.pop(name, None)
    return entered


def _moved_head(
    named: Mapping[str, np.ndarray], expected: weight_table.Shapes, stored: str, wanted: str, source: str
) -> dict[str, str]:
    """The tensors of the head on a checkpoint's encoder, with their names on that of the model, by the names of both.

    WeightMismatch where the checkpoint has another tensor under the name.
    """
    old, new = weight_table.head_prefix(stored), weight_table.head_prefix(wanted)
    if old is None or new is None:
        return {}
    moved = {name: new + name.removeprefix(old) for name in named if name.startswith(old)}
    moved = {name: target for name, target in moved.items() if target in expected and name not in expected}
    for name, target in moved.items():
        if target in named and not np.array_equal(named[name], named[target]):
            raise WeightMismatch(
                f"A head must be stored once. {source} holds {name} and {target}, which differ. Load it into the class "
                "that wrote it."
            )
    return moved


def _of_encoder(names: Iterable[str], expected: weight_table.Shapes) -> list[str]:
    """Those of some names that belong to an encoder of the model, without its pooler."""
    prefixes = weight_table.encoders(expected)
    inside = ((name, weight_table.name_inside(name, prefix)) for name in names for prefix in prefixes)
    return [name for name, found in inside if found and weight_table.part(found) == "encoder"]


def _require_encoder(report: LoadReport, expected: weight_table.Shapes) -> None:
    have = f" It holds {', '.join(report.unexpected[:3])}, ..." if report.unexpected else ""
    own = (
        " A class of your own keeps its encoder as self.albert = AlbertModel(config); under another name it is found "
        "where the checkpoint has only one."
    )
    if lost := _of_encoder(report.missing, expected):
        raise WeightMismatch(
            f"A checkpoint must hold every tensor of the encoder. {report.source} lacks {len(lost)}, among them "
            f"{lost[0]}.{have} {_advice(report, lost, expected)}{'' if lost[0].startswith('albert.') else own}"
        )
    if expected and not report.loaded and not report.mismatched:
        raise WeightMismatch(
            f"A checkpoint must hold something of the model that it is loaded into. {report.source} holds nothing of "
            f"{report.model}.{have}{own}"
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


def _advice(report: LoadReport, lost: Sequence[str], expected: weight_table.Shapes) -> str:
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
    if not _of_encoder(report.loaded, expected):
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


def _require_no_other_layers(report: LoadReport, expected: weight_table.Shapes) -> None:
    if surplus := _of_encoder(report.unexpected, expected):
        raise WeightMismatch(
            f"A model must run every layer that its checkpoint has. {report.source} holds {len(surplus)} tensors of "
            f"other layers, among them {surplus[0]}. Correct `num_hidden_groups` and `inner_group_num` of its config, "
            "or leave layers out on purpose with ignore_mismatched_sizes=True."
        )
