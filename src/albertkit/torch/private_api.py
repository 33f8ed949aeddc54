"""What albertkit uses of PyTorch that is not public; everything else keeps to the documented functions.

Tested with torch 2.13, and wanted from 2.6 on: `torch.utils._pytree`, the trees that torch.export and DataParallel walk
over, in which every class of outputs must be known.
"""

from torch.utils import _pytree

from albertkit.outputs import ModelOutput


def register_outputs(kinds: tuple[type[ModelOutput], ...]) -> None:
    """Let PyTorch look inside outputs of these classes; exported programs find them by their names."""
    by_name = {kind.__name__: kind for kind in kinds}
    for kind in kinds:
        _pytree.register_pytree_node(
            kind,
            lambda output: (list(output.values()), (type(output), list(output))),
            lambda values, context: context[0](**dict(zip(context[1], values, strict=True))),
            serialized_type_name=f"albertkit.{kind.__name__}",
            to_dumpable_context=lambda context: [context[0].__name__, context[1]],
            from_dumpable_context=lambda context: (by_name[context[0]], context[1]),
        )
