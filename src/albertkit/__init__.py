"""albertkit: a home for ALBERT (A Lite BERT, arXiv 1909.11942).

Names are imported when they are first used, so that importing this package loads no framework.
"""

import importlib
from typing import TYPE_CHECKING, Any

from albertkit.errors import MissingDependency

if TYPE_CHECKING:
    from albertkit.config import AlbertConfig as AlbertConfig
    from albertkit.outputs import AlbertForPreTrainingOutput as AlbertForPreTrainingOutput
    from albertkit.tokenization.fast import AlbertTokenizerFast as AlbertTokenizerFast
    from albertkit.tokenization.sentencepiece import AlbertTokenizer as AlbertTokenizer
    from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer as AlbertWordPieceTokenizer
    from albertkit.torch.models import AlbertForMaskedLM as AlbertForMaskedLM
    from albertkit.torch.models import AlbertForMultipleChoice as AlbertForMultipleChoice
    from albertkit.torch.models import AlbertForPreTraining as AlbertForPreTraining
    from albertkit.torch.models import AlbertForQuestionAnswering as AlbertForQuestionAnswering
    from albertkit.torch.models import AlbertForSequenceClassification as AlbertForSequenceClassification
    from albertkit.torch.models import AlbertForTokenClassification as AlbertForTokenClassification
    from albertkit.torch.models import AlbertModel as AlbertModel
    from albertkit.torch.models import AlbertPreTrainedModel as AlbertPreTrainedModel

__version__ = "0.1.0"

_MODULES = {
    "AlbertConfig": "albertkit.config",
    "AlbertForMaskedLM": "albertkit.torch.models",
    "AlbertForMultipleChoice": "albertkit.torch.models",
    "AlbertForPreTraining": "albertkit.torch.models",
    "AlbertForPreTrainingOutput": "albertkit.outputs",
    "AlbertForQuestionAnswering": "albertkit.torch.models",
    "AlbertForSequenceClassification": "albertkit.torch.models",
    "AlbertForTokenClassification": "albertkit.torch.models",
    "AlbertModel": "albertkit.torch.models",
    "AlbertPreTrainedModel": "albertkit.torch.models",
    "AlbertTokenizer": "albertkit.tokenization.sentencepiece",
    "AlbertTokenizerFast": "albertkit.tokenization.fast",
    "AlbertWordPieceTokenizer": "albertkit.tokenization.wordpiece",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'albertkit' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(_MODULES[name]), name)
    except MissingDependency as missing:
        raise missing.needed_by(name) from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
