"""The forward pass in PyTorch as a function of NumPy arrays."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from albertkit.arrays import Tensors
from albertkit.backends import Forward, InferPrecision, Outputs
from albertkit.batches import MaskedBatch, PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.kernels import encoder as kernels
from albertkit.quantization import Quantization, per_token
from albertkit.torch import models, weights
from albertkit.torch.packed import early_exit, gpu_encoder
from albertkit.torch.packed.compiled_encoder import CompiledPackedEmbeddings, CompiledPackedEncoder, CompiledPooler
from albertkit.torch.packed.gpu_encoder import GPUEncoder
from albertkit.torch.packed.int8 import int8_products
from albertkit.torch.packed.packed_encoder import PackedEncoder
from albertkit.torch.packed.precisions import hidden_dtype, require_precision, usual
from albertkit.torch.packed.products import float_products


def compile(
    config: AlbertConfig,
    head: str,
    tensors: Tensors,
    source: str = "the checkpoint",
    device: str | None = None,
    precision: InferPrecision | None = None,
    quantization: Quantization | None = None,
) -> Forward:
    """The forward of `Albert{head}` with the given weights.

    A `MaskedBatch` gives the `logits` (P, V) of a masked-language-model head at its positions and nowhere else. Runs on
    `device`, a name of PyTorch, by default on the first GPU where there is one, and on a CPU in packed sequences, as on
    a GPU in bfloat16 where it has flash attention. With `config.early_exit_patience` rows stop at the layer where they
    are agreed on, on a CPU; see `packed.early_exit`. `precision` is that of the encoder's products, "auto" the fastest
    of this machine. `quantization` is what is known of their inputs in int8, in which they are computed by default
    where that is known, on a CPU. WeightMismatch where the head's weights are not among the tensors, InputError where
    there is no such device, or it does not compute in that precision.
    """
    place = require_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    precision = require_precision(precision or usual(place, quantization is not None), place)
    exits_early = head == "ForSequenceClassification" and config.early_exit_patience > 0
    if exits_early and place.type != "cpu":
        raise InputError(
            f"Early exit is computed on a CPU. Received: patience {config.early_exit_patience} on {place}. Pass "
            '`device` "cpu", or leave `patience` out.'
        )
    is_packed_on_gpu = precision == "bf16" and gpu_encoder.can_run(place, config)
    if place.type == "cpu" or is_packed_on_gpu:
        config = config.changed(attn_implementation="packed")
    model = build(config, head, tensors, source, place)
    if place.type == "cpu":
        if precision == "int8":
            quantization = quantization or per_token(config)
        encoder = _packed_encoder(model, config, precision, quantization, is_read_by_layer=exits_early)
        if isinstance(encoder, PackedEncoder) and exits_early:
            return early_exit.compile(model, encoder)
    elif precision == "bf16":
        model.to(torch.bfloat16)
        if is_packed_on_gpu:
            with torch.inference_mode():
                model.base_model.encoder = GPUEncoder(model.base_model.encoder, config)
    return _forward_of(model.eval())


def build(config: AlbertConfig, head: str, tensors: Tensors, source: str, device: torch.device) -> Any:
    """The model `Albert{head}` with the given weights; errors as in `compile`."""
    with torch.device("meta"):
        model = getattr(models, f"Albert{head}")(config)
    with device:
        report = weights.load(model, model.checkpoint_prefix, config, tensors, source)
    model.tie_weights()
    report.require_complete()
    return model


def _packed_encoder(
    model: Any,
    config: AlbertConfig,
    precision: InferPrecision,
    quantization: Quantization | None,
    is_read_by_layer: bool,
) -> PackedEncoder | CompiledPackedEncoder:
    """Put what computes on a CPU in the place of a model's encoder: the compiled library, or products of PyTorch's."""
    quantization, encoder = quantization if precision == "int8" else None, model.base_model.encoder
    with torch.inference_mode():
        if not is_read_by_layer and kernels.can_run(config, precision, quantization):
            base = model.base_model
            base.embeddings = CompiledPackedEmbeddings(base.embeddings, config)
            if base.pooler is not None:
                base.pooler, base.pooler_activation = CompiledPooler(base.pooler), None
            found = CompiledPackedEncoder(encoder, config, precision, quantization)
        else:
            dtype, act = hidden_dtype(precision), config.hidden_act
            make = float_products(dtype, act) if quantization is None else int8_products(dtype, act, quantization)
            found = PackedEncoder(encoder, config, make)
    model.base_model.encoder = found
    return found


def attach(model: Any, device: str | None = None) -> Forward:
    """The forward of a model as it is at each call, on its own device; moved to `device` first, where one is named."""
    if device is not None:
        model.to(require_device(device))
    answer = _forward_of(model)

    def forward(batch: PaddedBatch) -> Outputs:
        with _without_dropout(model):
            return answer(batch)

    return forward


def _forward_of(model: Any) -> Forward:
    """The forward of a model that does not drop anything out."""

    @torch.inference_mode()
    def forward(batch: PaddedBatch) -> Outputs:
        outputs = _outputs(model, batch, next(model.parameters()).device)
        return {name: value.float().cpu().numpy() for name, value in outputs.items()}

    return forward


def require_device(name: str) -> torch.device:
    """The device of a name. InputError where PyTorch has none."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:  # AssertionError: PyTorch was built without CUDA
        why = str(error).splitlines()[0].rstrip(".")
        raise InputError(
            f'`device` must be one that PyTorch can use here. Received: {name!r}: {why}. Leave it out, or pass "cpu".'
        ) from None
    return device


@contextmanager
def _without_dropout(model: Any) -> Iterator[None]:
    """A model that is being trained answers in between, and goes on as it was."""
    training = [module for module in model.modules() if module.training]
    if training:
        model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _outputs(model: Any, batch: PaddedBatch, device: torch.device) -> Mapping[str, torch.Tensor]:
    arguments = {name: torch.from_numpy(array).to(device) for name, array in batch.arguments().items()}
    if not isinstance(batch, MaskedBatch):
        return model(**arguments, return_dict=True, output_attentions=False, output_hidden_states=False)
    rows, columns = torch.from_numpy(batch.positions).to(device).unbind(-1)
    return {"logits": model.predictions(model.albert._states_at(rows, columns, **arguments))}
