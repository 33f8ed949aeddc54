"""What a program in StableHLO holds: bytes of weights, and how many products with weights are computed."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from jax import export
from jax.extend.mlir import ir
from jax.interpreters.mlir import make_ir_context

_WIDTHS = {"f32": 4, "i32": 4, "i64": 8, "i1": 1, "ui32": 4, "bf16": 2}


def counted(program: export.Exported) -> tuple[int, int]:
    """Bytes of all constants, and products with weights: those that treat no axis as rows of both factors.

    What stands in a loop or in a function counts as often as it is computed.
    """
    with make_ir_context():
        module = ir.Module.parse(program.mlir_module())
        functions = {ir.StringAttr(one.attributes["sym_name"]).value: one.operation for one in module.body.operations}
        size = sum(_bytes(one) for function in functions.values() for one in _inside(function))
        return size, _products(functions["main"], functions)


def _inside(operation: Any) -> Iterator[Any]:
    """All operations in the regions of one, however deep."""
    for region in operation.regions:
        for one in _body(region):
            yield one
            yield from _inside(one)


def _body(region: Any) -> Iterator[Any]:
    for block in region.blocks:
        yield from (one.operation for one in block.operations)


def _bytes(operation: Any) -> int:
    if operation.name != "stablehlo.constant":
        return 0
    kind = ir.ShapedType(operation.results[0].type)
    is_one_number = ir.DenseElementsAttr(operation.attributes["value"]).is_splat
    return 0 if is_one_number else math.prod(kind.shape) * _WIDTHS.get(str(kind.element_type), 8)


def _products(operation: Any, functions: Mapping[str, Any]) -> int:
    """Products with weights that are computed when an operation is."""
    if operation.name == "stablehlo.dot_general":
        numbers = str(operation.attributes["dot_dimension_numbers"])
        return int("lhs_batching_dimensions" not in numbers)
    if operation.name in ("func.call", "call"):
        return _products(functions[ir.FlatSymbolRefAttr(operation.attributes["callee"]).value], functions)
    regions = [sum(_products(one, functions) for one in _body(region)) for region in operation.regions]
    if operation.name == "stablehlo.case":  # one of them is run, and each is made for a platform
        return max(regions)
    return sum(regions) * (_turns(operation) if operation.name == "stablehlo.while" else 1)


def _turns(loop: Any) -> int:
    """How often a loop is run: the constant that its condition compares the counter with."""
    compared = next(one for one in _body(loop.regions[0]) if one.name == "stablehlo.compare")
    return ir.DenseIntElementsAttr(compared.operands[1].owner.attributes["value"])[0]
