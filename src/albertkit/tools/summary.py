"""What a checkpoint or a size holds: tensors and parameters by part, memory, and what it can be used for."""

import math
import os
from dataclasses import dataclass, field

from albertkit import weight_table
from albertkit.checkpoint import files
from albertkit.checkpoint.report import fit
from albertkit.config import SIZES, AlbertConfig
from albertkit.errors import WeightMismatch


@dataclass(frozen=True)
class Part:
    """One part of a model. A tied tensor counts where it is stored."""

    name: str
    tensors: int
    parameters: int

    def size(self, width: int) -> str:
        """Bytes at `width` bytes a parameter, for a person."""
        return f"{self.parameters * width / 2**20:.1f} MiB"


@dataclass(frozen=True)
class Summary:
    """A title, the parts, their sum, and sentences about the whole."""

    title: str
    parts: list[Part]
    notes: list[str]
    shapes: weight_table.Shapes = field(default_factory=dict)
    """Of every tensor, by name, tied ones too."""

    @property
    def total(self) -> Part:
        """The sum of the parts."""
        tensors, parameters = (sum(getattr(part, what) for part in self.parts) for what in ("tensors", "parameters"))
        return Part("total", tensors, parameters)


def summarise(name: str | os.PathLike[str]) -> Summary:
    """The summary of a folder, of a name on the hub, or of one of the published sizes."""
    if name in SIZES:
        config: AlbertConfig = getattr(AlbertConfig, str(name))()
        shapes = weight_table.expected(config, "ForPreTraining")
        title = f"ALBERT {name}, with the heads of pre-training"
        return Summary(title, _parts(shapes, config), _about(config), shapes)
    checkpoint = files.load(name)
    config = checkpoint.config
    shapes = {key: tensor.shape for key, tensor in checkpoint.tensors.items()}
    notes = [f"Stored as {', '.join(checkpoint.stored_dtypes)}.", *_about(config), *checkpoint.notes]
    notes += [_complete(checkpoint), *_broken(checkpoint)]
    return Summary(f"{checkpoint.source}", _parts(shapes, config), notes, shapes)


def _parts(shapes: weight_table.Shapes, config: AlbertConfig) -> list[Part]:
    tied, prefixes = weight_table.tied(config), weight_table.encoders(shapes)
    sizes_by_part: dict[str, list[int]] = {}
    for name, shape in shapes.items():
        if name not in tied:
            inside = (weight_table.name_inside(name, prefix) for prefix in prefixes)
            sizes_by_part.setdefault(_part(next(filter(None, inside), name)), []).append(math.prod(shape))
    return [Part(name, len(sizes), sum(sizes)) for name, sizes in sizes_by_part.items()]


def _part(name: str) -> str:
    if ".embeddings." in name:
        return "embeddings"
    return "encoder layers" if weight_table.part(name) == "encoder" else weight_table.part(name)


def _about(config: AlbertConfig) -> list[str]:
    layers = config.num_hidden_layers * config.inner_group_num
    groups = len(set(config.group_of_layer))
    shared, idle = groups * config.inner_group_num, (config.num_hidden_groups - groups) * config.inner_group_num
    longest = config.max_position_embeddings
    never = f", and {idle} more never run" if idle else ""
    lengths = [length for length in (128, 512) if length <= longest] or [longest]
    work = " and ".join(f"{_gigaflops(config, length)} GFLOP for {length} tokens" for length in lengths)
    lines = [
        f"{layers} layers run {shared} set{'s' * (shared > 1)} of weights{never}; "
        f"hidden size {config.hidden_size}, {config.num_attention_heads} heads, embedding size "
        f"{config.embedding_size}, vocabulary {config.vocab_size:,}, at most {longest} tokens.",
        f"Forward pass of the encoder: {work}: sharing weights saves memory, not arithmetic.",
    ]
    if config.architectures:
        lines.append(f"Saved from {', '.join(config.architectures)}.")
    if config.problem_type:
        lines.append(f"{config.problem_type}: {', '.join(map(str, config.id2label.values()))}.")
    return lines


def _gigaflops(config: AlbertConfig, length: int) -> str:
    work = forward_flops(config, length) / 1e9
    return f"{work:.1f}" if work >= 1 else f"{work:.1g}"


def forward_flops(config: AlbertConfig, length: int) -> int:
    """Two for each multiplication and addition of the matrix products in one forward pass of the encoder."""
    hidden, feed_forward = config.hidden_size, config.intermediate_size
    layer = 4 * hidden * hidden + 2 * hidden * feed_forward + 2 * length * hidden
    mapping = config.embedding_size * hidden
    return 2 * length * (mapping + layer * config.num_hidden_layers * config.inner_group_num)


def _complete(checkpoint: files.Checkpoint) -> str:
    """The classes that can be read without a newly initialised weight.

    Heads of the same shape, and those without weights, cannot be told by their weights: of them those count that the
    config names.
    """
    config, stated = checkpoint.config, checkpoint.config.architectures or []
    told = [model for model, parts in weight_table.PARTS.items() if parts != ("encoder",) or f"Albert{model}" in stated]
    usable = [f"Albert{model}" for model in told if _is_complete(checkpoint, model)]
    alike = [name for name in usable if "classifier" in weight_table.PARTS[name.removeprefix("Albert")]]
    meant = [name for name in alike if name in stated] or alike
    sure = [name for name in usable if name not in alike] + (meant if len(meant) == 1 else [])
    said = [f"Holds all weights of {', '.join(sure)}."] if sure else []
    if len(meant) > 1:
        labels = f"{config.num_labels} class{'es' * (config.num_labels > 1)}"
        said.append(f"Holds a classifier of {labels}: of {' or of '.join(meant)}, which config.json does not say.")
    return " ".join(said) or "Holds no complete model."


def _is_complete(checkpoint: files.Checkpoint, model: str) -> bool:
    config, name = checkpoint.config, f"Albert{model}"
    wanted, tied = weight_table.expected(config, model), weight_table.tied(config)
    try:
        _, report = fit(name, wanted, tied, checkpoint.tensors, str(checkpoint.source))
    except WeightMismatch:
        return False
    return not report.newly_initialized


def _broken(checkpoint: files.Checkpoint) -> list[str]:
    wanted = weight_table.expected(checkpoint.config, "Model")
    shapes = {name: tensor.shape for name, tensor in checkpoint.tensors.items() if name in wanted}
    wrong = [name for name, shape in shapes.items() if tuple(shape) != wanted[name]]
    other = [name for name in checkpoint.tensors if weight_table.part(name) == "encoder" and name not in wanted]
    notes = [f"Shapes that do not fit config.json: {', '.join(wrong)}."] if wrong else []
    return notes + ([f"Layers that config.json does not run: {len(other)} tensors, {other[0]}, ..."] if other else [])
