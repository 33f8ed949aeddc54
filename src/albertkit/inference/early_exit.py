"""Early exit: when a model can answer before its last layer, and how many layers its answers took."""

import logging
from collections.abc import Iterable, Iterator

from albertkit import rules
from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.typing import Record

logger = logging.getLogger(__name__)

LAYERS = "layers"
"""The output that says after how many layers a row has stopped."""


def require_possible(config: AlbertConfig, framework: str) -> None:
    """InputError where early exit is asked for, and the model was not trained for it or the framework lacks it."""
    patience, threshold = config.early_exit_patience, config.early_exit_threshold
    if not patience:
        if threshold is not None:
            raise InputError(
                f"A regression threshold is that of early exit, which is off. Received: {threshold} alone. Pass a "
                "`patience`, such as 2, or leave it out."
            )
        return
    if not config.early_exit:
        raise InputError(
            "Early exit needs a model whose classifier was trained after every layer, for else its answers before the "
            f"last one mean nothing. Received: patience {patience} for a model that was not. Fine-tune it with "
            "`albertkit finetune text-classification --early-exit`, or leave `patience` out."
        )
    if framework != "torch":
        raise InputError(
            f"Early exit is computed by PyTorch. Received: patience {patience} in {framework}. Choose the framework "
            "torch, or leave `patience` out."
        )
    kind = rules.problem_type(config.problem_type, config.num_labels, has_integer_labels=True)
    is_regression = kind == "regression"
    if is_regression != (threshold is not None):
        raise InputError(
            "Layers agree on a number when they differ by less than `regression_threshold`, in units of the labels; "
            f"on classes without it. Received: {threshold} for {kind}. "
            f"{'Pass one, such as 0.1.' if is_regression else 'Leave it out.'}"
        )
    if patience >= config.num_hidden_layers - 1:
        logger.warning(
            "Nothing is saved: by patience %s a text stops after %s layers at the earliest, and the model has %s.",
            patience,
            patience + 1,
            config.num_hidden_layers,
        )


class LayersTaken:
    """Watches the outputs of an evaluation go by, and tells at the end after how many layers they stopped."""

    def __init__(self) -> None:
        self._layers: list[float] = []

    def watched(self, outputs: Iterable[Outputs]) -> Iterator[Outputs]:
        """The same outputs."""
        for one in outputs:
            if LAYERS in one:
                self._layers.append(float(one[LAYERS]))
            yield one

    def found(self) -> Record:
        """The mean number of layers of a row, or nothing where all layers were computed for all."""
        return {"mean_layers": sum(self._layers) / len(self._layers)} if self._layers else {}
