"""A config and its weights -> a program of torch.export, and what a program holds."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from albertkit.arrays import Tensors
from albertkit.config import AlbertConfig
from albertkit.errors import OutdatedDependency
from albertkit.exports import base
from albertkit.torch import infer

try:
    from torch.export.passes import move_to_device_pass
except ImportError:
    move_to_device_pass = None

_EXAMPLE = (2, 3, 4)
"""Rows, choices and length of the example: an axis of 1 would be taken as fixed, without a word."""


class _Named(nn.Module):
    """A model whose inputs and outputs have the names of `exports.base`."""

    def __init__(self, model: nn.Module, outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.outputs = model, outputs

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> dict[str, Tensor]:
        found = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            output_attentions=False,
            output_hidden_states=False,
            return_dict=True,
        )
        return {name: found[name] for name in self.outputs}


def require_recent() -> None:
    """OutdatedDependency where torch.export cannot do what is asked of it here."""
    if move_to_device_pass is None or not callable(Dim.DYNAMIC):
        raise OutdatedDependency(
            "Programs of torch.export are written and opened by a PyTorch that bounds free axes and moves programs to "
            f"devices, as 2.13 does. Received: PyTorch {torch.__version__}. Update it: pip install -U torch"
        )


def opened(file: Path, device: torch.device) -> nn.Module:
    """The program of a file as a module on a device; it must come from somebody who is trusted."""
    require_recent()
    assert move_to_device_pass is not None
    return move_to_device_pass(torch.export.load(file), device).module()


def traced(config: AlbertConfig, head: str, tensors: Tensors) -> ExportedProgram:
    """The program of a head, of any number of rows and any length that the model has positions for."""
    require_recent()
    config = config.changed(attn_implementation="sdpa", chunk_size_feed_forward=0)  # neither changes what is computed
    model: Any = infer.build(config, head, tensors, "the checkpoint", torch.device("cpu"))
    shortest, longest = base.shortest(config, head), config.max_position_embeddings
    length = min(_EXAMPLE[-1] + shortest, longest)
    free = _EXAMPLE[:2] if head == "ForMultipleChoice" else _EXAMPLE[:1]
    # One of their own for each input: of a tensor that is given twice only the last input would be read.
    example = {name: torch.ones((*free, length), dtype=torch.int64) for name in base.INPUTS}
    axes = {**dict.fromkeys(range(len(free)), Dim.DYNAMIC), len(free): Dim.DYNAMIC(min=shortest, max=longest)}
    return torch.export.export(
        _Named(model.eval(), tuple(base.OUTPUTS[head])),
        (),
        example,
        dynamic_shapes=dict.fromkeys(base.INPUTS, axes),
        strict=False,
    )


def counted(program: ExportedProgram) -> tuple[int, int]:
    """Bytes of all stored arrays, each once, and products with one of them."""
    stored = [*program.state_dict.values(), *program.constants.values()]
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in stored}
    products = [node for node in program.graph.nodes if node.target is torch.ops.aten.linear.default]
    return sum(storages.values()), len(products)
