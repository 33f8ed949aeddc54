"""What a checkpoint or a size holds: tensors and parameters by part, memory, and what it can be used for."""

import math
import os
from dataclasses import dataclass

from albertkit import weight_table
from albertkit.checkpoint import files
from albertkit.config import SIZES, AlbertConfig


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
        return Summary(f"ALBERT {name}, with the heads of pre-training", _parts(shapes, config), _about(config))
    checkpoint = files.load(name)
    config = checkpoint.config
    shapes = {key: tensor.shape for key, tensor in checkpoint.tensors.items()}
    dtypes = sorted({str(tensor.dtype) for tensor in checkpoint.tensors.values()})
    notes = [f"Stored as {', '.join(dtypes)}.", *_about(config), *checkpoint.notes]
    notes += [_complete(shapes, config), *_broken(checkpoint)]
    return Summary(f"{checkpoint.source}", _parts(shapes, config), notes)


def _parts(shapes: weight_table.Shapes, config: AlbertConfig) -> list[Part]:
    tied = weight_table.tied(config)
    sizes_by_part: dict[str, list[int]] = {}
    for name, shape in shapes.items():
        if name not in tied:
            sizes_by_part.setdefault(_part(name), []).append(math.prod(shape))
    return [Part(name, len(sizes), sum(sizes)) for name, sizes in sizes_by_part.items()]


def _part(name: str) -> str:
    if ".embeddings." in name:
        return "embeddings"
    return "encoder layers" if weight_table.part(name) == "encoder" else weight_table.part(name)


def _about(config: AlbertConfig) -> list[str]:
    layers = config.num_hidden_layers * config.inner_group_num
    shared = config.num_hidden_groups * config.inner_group_num
    lines = [
        f"{layers} layers run {shared} set{'s' * (shared > 1)} of weights; hidden size {config.hidden_size}, "
        f"{config.num_attention_heads} heads, embedding size {config.embedding_size}, vocabulary "
        f"{config.vocab_size:,}, at most {config.max_position_embeddings} tokens.",
        f"Forward pass: {forward_flops(config, 128) / 1e9:.1f} GFLOP for 128 tokens, "
        f"{forward_flops(config, 512) / 1e9:.1f} for 512: sharing weights saves memory, not arithmetic.",
    ]
    if config.architectures:
        lines.append(f"Saved from {', '.join(config.architectures)}.")
    if config.problem_type:
        lines.append(f"{config.problem_type}: {', '.join(map(str, config.id2label.values()))}.")
    return lines


def forward_flops(config: AlbertConfig, length: int) -> int:
    """Two for each multiplication and addition of the matrix products in one forward pass of the encoder."""
    hidden, feed_forward = config.hidden_size, config.intermediate_size
    layer = 4 * hidden * hidden + 2 * hidden * feed_forward + 2 * length * hidden
    mapping = config.embedding_size * hidden
    return 2 * length * (mapping + layer * config.num_hidden_layers * config.inner_group_num)


def _complete(shapes: weight_table.Shapes, config: AlbertConfig) -> str:
    held = weight_table.tied(config).keys() | shapes.keys()
    wanted = {model: weight_table.expected(config, model) for model in weight_table.PARTS}
    usable = [
        f"Albert{model}"
        for model, tensors in wanted.items()
        if held >= tensors.keys() and all(tuple(shapes.get(name, shape)) == shape for name, shape in tensors.items())
    ]
    return f"Holds all weights of {', '.join(usable)}." if usable else "Holds no complete model."


def _broken(checkpoint: files.Checkpoint) -> list[str]:
    wanted = weight_table.expected(checkpoint.config, "Model")
    shapes = {name: tensor.shape for name, tensor in checkpoint.tensors.items() if name in wanted}
    wrong = [name for name, shape in shapes.items() if tuple(shape) != wanted[name]]
    other = [name for name in checkpoint.tensors if weight_table.part(name) == "encoder" and name not in wanted]
    notes = [f"Shapes that do not fit config.json: {', '.join(wrong)}."] if wrong else []
    return notes + ([f"Layers that config.json does not run: {len(other)} tensors, {other[0]}, ..."] if other else [])
