"""What fits where: the rules by which tensors of a file enter a model, and the report of what happened.

Shapes and names only; the same judgement serves the three frameworks.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from albertkit import weight_table
from albertkit.errors import WeightMismatch

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class LoadReport:
    """What became of each tensor when a checkpoint was loaded. Names are neutral names."""

    model: str
    source: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...] = ()
    """Tensors of the model that the checkpoint lacks: they start fresh and must be trained."""
    unexpected: tuple[str, ...] = ()
    """Tensors of the checkpoint that the model has no use for."""
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = ()
    """(name, shape in the checkpoint, shape in the model): started fresh because that was asked for."""
    parameters: int = field(default=0, compare=False)

    @property
    def fresh(self) -> tuple[str, ...]:
        """Every tensor that did not come from the checkpoint."""
        return (*self.missing, *(name for name, _, _ in self.mismatched))

    def require_complete(self) -> None:
        """WeightMismatch where anything would start fresh: for a model that is to answer, not to be trained."""
        if self.fresh:
            raise WeightMismatch(
                f"A model that answers needs all its weights. {self.source} lacks {', '.join(self.fresh)} of "
                f"{self.model}. Train this head first, or give a checkpoint that has it."
            )

    def announcement(self) -> str | None:
        """One line for a person where something starts fresh, else None."""
        if not self.fresh:
            return None
        why = "".join(
            f" {name}: the shapes did not match, {ours} read and {wants} needed."
            for name, ours, wants in self.mismatched
        )
        return (
            f"{self.model}: some weights were not in {self.source} and start fresh: {', '.join(self.fresh)}.{why} "
            "Train the model before you trust its answers."
        )

    def __str__(self) -> str:
        lines = [f"{self.model} from {self.source}: {len(self.loaded)} tensors, {self.parameters:,} parameters loaded"]
        lines += [f"  fresh: {name}" for name in self.missing]
        lines += [f"  fresh: {name}, {ours} read, {wants} needed" for name, ours, wants in self.mismatched]
        lines += [f"  unused: {name}" for name in self.unexpected]
        return "\n".join(lines)


def fit(
    model: str,
    wanted: weight_table.Shapes,
    tied: Mapping[str, str],
    tensors: Mapping[str, np.ndarray],
    source: str,
    ignore_mismatched_sizes: bool = False,
) -> tuple[Tensors, LoadReport]:
    """The tensors that enter a model, and the report.

    `model` is its class name, `wanted` its {neutral name: shape}, `tied` as from `names.tied`, and `tensors` what a
    checkpoint holds. A tied tensor takes the value of its partner, whichever of the two is there.

    Raises WeightMismatch where a tensor of the encoder is missing, or where a shape differs and
    `ignore_mismatched_sizes` is not set.
    """
    # A bare encoder is stored without its prefix. The table puts it back, but knows no layers that a subclass added.
    bare = {name.removeprefix("albert."): name for name in wanted if name not in tensors}
    tensors = {name if name in wanted else bare.get(name, name): tensor for name, tensor in tensors.items()}
    partners = {**tied, **{other: name for name, other in tied.items()}}
    chosen: Tensors = {}
    missing: list[str] = []
    mismatched: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []
    for name, shape in wanted.items():
        found = tensors.get(name)
        if found is None and name in partners:
            found = tensors.get(partners[name])
        if found is None:
            missing += [] if name in tied else [name]
        elif tuple(found.shape) != tuple(shape):
            mismatched.append((name, tuple(found.shape), tuple(shape)))
        else:
            chosen[name] = found
    used = {*wanted, *(partners[name] for name in wanted if name in partners and name not in tensors)}
    report = LoadReport(
        model=model,
        source=source,
        loaded=tuple(chosen),
        missing=tuple(missing),
        unexpected=tuple(sorted(set(tensors) - used)),
        mismatched=tuple(mismatched),
        parameters=sum(math.prod(wanted[name]) for name in chosen if name not in tied),
    )
    _refuse(report, ignore_mismatched_sizes)
    return chosen, report


def _refuse(report: LoadReport, ignore_mismatched_sizes: bool) -> None:
    lost = [name for name in report.missing if weight_table.part(name) == "encoder" and weight_table.is_known(name)]
    if lost:
        have = f"It holds {', '.join(report.unexpected[:3])}, ..." if report.unexpected else ""
        raise WeightMismatch(
            f"A checkpoint must hold every tensor of the encoder. {report.source} lacks {len(lost)}, among them "
            f"{lost[0]}. {have} Check that this is an ALBERT and that `num_hidden_groups` and `inner_group_num` of "
            "config.json belong to it."
        )
    if ignore_mismatched_sizes:
        return
    if report.mismatched:
        _refuse_shapes(report)
    surplus = [
        name for name in report.unexpected if weight_table.part(name) == "encoder" and weight_table.is_known(name)
    ]
    if surplus:
        raise WeightMismatch(
            f"A model must run every layer that its checkpoint has. {report.source} holds {len(surplus)} tensors of "
            f"other layers, among them {surplus[0]}. Correct `num_hidden_groups` and `inner_group_num` of its config, "
            "or leave layers out on purpose with ignore_mismatched_sizes=True."
        )


def _refuse_shapes(report: LoadReport) -> NoReturn:
    rows = "; ".join(f"{name}: checkpoint {ours}, model {wants}" for name, ours, wants in report.mismatched)
    vocabulary = any("word_embeddings" in name for name, _, _ in report.mismatched)
    hint = (
        "The vocabulary size of config.json and the weights disagree: one of the two belongs to another model."
        if vocabulary
        else "If a fresh start of these is wanted, pass ignore_mismatched_sizes=True."
    )
    raise WeightMismatch(
        f"Error(s) in loading state_dict for {report.model}: each tensor must have the shape that the config gives it. "
        f"Received, from {report.source}: {rows}. {hint}"
    )
