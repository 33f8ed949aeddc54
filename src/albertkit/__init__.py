"""albertkit: a home for ALBERT (A Lite BERT, arXiv 1909.11942).

Names are imported when they are first used, so that importing this package loads no framework.
"""

import importlib.util
import opcode
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

from albertkit.errors import MissingDependency, did_you_mean

if TYPE_CHECKING:
    from albertkit.config import AlbertConfig as AlbertConfig
    from albertkit.flax.models import FlaxAlbertForMaskedLM as FlaxAlbertForMaskedLM
    from albertkit.flax.models import FlaxAlbertForMultipleChoice as FlaxAlbertForMultipleChoice
    from albertkit.flax.models import FlaxAlbertForPreTraining as FlaxAlbertForPreTraining
    from albertkit.flax.models import FlaxAlbertForQuestionAnswering as FlaxAlbertForQuestionAnswering
    from albertkit.flax.models import (
        FlaxAlbertForQuestionAnsweringBeamSearch as FlaxAlbertForQuestionAnsweringBeamSearch,
    )
    from albertkit.flax.models import FlaxAlbertForSentenceEmbedding as FlaxAlbertForSentenceEmbedding
    from albertkit.flax.models import FlaxAlbertForSequenceClassification as FlaxAlbertForSequenceClassification
    from albertkit.flax.models import FlaxAlbertForTokenClassification as FlaxAlbertForTokenClassification
    from albertkit.flax.models import FlaxAlbertModel as FlaxAlbertModel
    from albertkit.flax.models import FlaxAlbertPreTrainedModel as FlaxAlbertPreTrainedModel
    from albertkit.outputs import AlbertForPreTrainingOutput as AlbertForPreTrainingOutput
    from albertkit.outputs import FlaxAlbertForPreTrainingOutput as FlaxAlbertForPreTrainingOutput
    from albertkit.outputs import TFAlbertForPreTrainingOutput as TFAlbertForPreTrainingOutput
    from albertkit.pipelines import pipeline as pipeline
    from albertkit.tensorflow.models import TFAlbertForMaskedLM as TFAlbertForMaskedLM
    from albertkit.tensorflow.models import TFAlbertForMultipleChoice as TFAlbertForMultipleChoice
    from albertkit.tensorflow.models import TFAlbertForPreTraining as TFAlbertForPreTraining
    from albertkit.tensorflow.models import TFAlbertForQuestionAnswering as TFAlbertForQuestionAnswering
    from albertkit.tensorflow.models import (
        TFAlbertForQuestionAnsweringBeamSearch as TFAlbertForQuestionAnsweringBeamSearch,
    )
    from albertkit.tensorflow.models import TFAlbertForSentenceEmbedding as TFAlbertForSentenceEmbedding
    from albertkit.tensorflow.models import TFAlbertForSequenceClassification as TFAlbertForSequenceClassification
    from albertkit.tensorflow.models import TFAlbertForTokenClassification as TFAlbertForTokenClassification
    from albertkit.tensorflow.models import TFAlbertMainLayer as TFAlbertMainLayer
    from albertkit.tensorflow.models import TFAlbertModel as TFAlbertModel
    from albertkit.tensorflow.models import TFAlbertPreTrainedModel as TFAlbertPreTrainedModel
    from albertkit.tokenization.fast import AlbertTokenizerFast as AlbertTokenizerFast
    from albertkit.tokenization.sentencepiece import AlbertTokenizer as AlbertTokenizer
    from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer as AlbertWordPieceTokenizer
    from albertkit.torch.models import AlbertForMaskedLM as AlbertForMaskedLM
    from albertkit.torch.models import AlbertForMultipleChoice as AlbertForMultipleChoice
    from albertkit.torch.models import AlbertForPreTraining as AlbertForPreTraining
    from albertkit.torch.models import AlbertForQuestionAnswering as AlbertForQuestionAnswering
    from albertkit.torch.models import AlbertForQuestionAnsweringBeamSearch as AlbertForQuestionAnsweringBeamSearch
    from albertkit.torch.models import AlbertForSentenceEmbedding as AlbertForSentenceEmbedding
    from albertkit.torch.models import AlbertForSequenceClassification as AlbertForSequenceClassification
    from albertkit.torch.models import AlbertForTokenClassification as AlbertForTokenClassification
    from albertkit.torch.models import AlbertModel as AlbertModel
    from albertkit.torch.models import AlbertPreTrainedModel as AlbertPreTrainedModel
    from albertkit.torch.pretrained import load_tf_weights_in_albert as load_tf_weights_in_albert

__version__ = "0.1.0"

_MODULES = {
    "AlbertConfig": "albertkit.config",
    "AlbertForMaskedLM": "albertkit.torch.models",
    "AlbertForMultipleChoice": "albertkit.torch.models",
    "AlbertForPreTraining": "albertkit.torch.models",
    "AlbertForPreTrainingOutput": "albertkit.outputs",
    "AlbertForQuestionAnswering": "albertkit.torch.models",
    "AlbertForQuestionAnsweringBeamSearch": "albertkit.torch.models",
    "AlbertForSentenceEmbedding": "albertkit.torch.models",
    "AlbertForSequenceClassification": "albertkit.torch.models",
    "AlbertForTokenClassification": "albertkit.torch.models",
    "AlbertModel": "albertkit.torch.models",
    "AlbertPreTrainedModel": "albertkit.torch.models",
    "AlbertTokenizer": "albertkit.tokenization.sentencepiece",
    "AlbertTokenizerFast": "albertkit.tokenization.fast",
    "AlbertWordPieceTokenizer": "albertkit.tokenization.wordpiece",
    "FlaxAlbertForMaskedLM": "albertkit.flax.models",
    "FlaxAlbertForMultipleChoice": "albertkit.flax.models",
    "FlaxAlbertForPreTraining": "albertkit.flax.models",
    "FlaxAlbertForPreTrainingOutput": "albertkit.outputs",
    "FlaxAlbertForQuestionAnswering": "albertkit.flax.models",
    "FlaxAlbertForQuestionAnsweringBeamSearch": "albertkit.flax.models",
    "FlaxAlbertForSentenceEmbedding": "albertkit.flax.models",
    "FlaxAlbertForSequenceClassification": "albertkit.flax.models",
    "FlaxAlbertForTokenClassification": "albertkit.flax.models",
    "FlaxAlbertModel": "albertkit.flax.models",
    "FlaxAlbertPreTrainedModel": "albertkit.flax.models",
    "TFAlbertForMaskedLM": "albertkit.tensorflow.models",
    "TFAlbertForMultipleChoice": "albertkit.tensorflow.models",
    "TFAlbertForPreTraining": "albertkit.tensorflow.models",
    "TFAlbertForPreTrainingOutput": "albertkit.outputs",
    "TFAlbertForQuestionAnswering": "albertkit.tensorflow.models",
    "TFAlbertForQuestionAnsweringBeamSearch": "albertkit.tensorflow.models",
    "TFAlbertForSentenceEmbedding": "albertkit.tensorflow.models",
    "TFAlbertForSequenceClassification": "albertkit.tensorflow.models",
    "TFAlbertForTokenClassification": "albertkit.tensorflow.models",
    "TFAlbertMainLayer": "albertkit.tensorflow.models",
    "TFAlbertModel": "albertkit.tensorflow.models",
    "TFAlbertPreTrainedModel": "albertkit.tensorflow.models",
    "load_tf_weights_in_albert": "albertkit.torch.pretrained",
    "pipeline": "albertkit.pipelines",
}

_NEEDS = {"torch": ("torch",), "tensorflow": ("tensorflow", "keras"), "flax": ("jax", "flax", "optax")}
"""What the modules of a framework need; the same as `backends.PACKAGES`, which this must not import."""


def _usable_names() -> list[str]:
    """What `from albertkit import *` gives: the public names, without those of frameworks that are not installed."""
    absent = [
        f"albertkit.{framework}." for framework, packages in _NEEDS.items() if not all(map(_is_installed, packages))
    ]
    return sorted(name for name, module in _MODULES.items() if not module.startswith(tuple(absent)))


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # a part of it is missing, or a stand-in has its name
        return False


def _unknown(name: str, caller: FrameType) -> Exception:
    """The error for a name that is none, with the nearest one.

    Of an AttributeError in `from albertkit import name` Python shows nothing, so there it is an ImportError.
    """
    text = f"module 'albertkit' has no attribute {name!r}.{did_you_mean(name, _MODULES)}"
    if caller.f_code.co_code[caller.f_lasti] == opcode.opmap["IMPORT_FROM"]:
        return ImportError(f"cannot import name {name!r} from 'albertkit'.{did_you_mean(name, _MODULES)}", name=name)
    return AttributeError(text, name=name)


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return _usable_names()
    if name not in _MODULES:
        raise _unknown(name, sys._getframe(1))
    try:
        value = getattr(importlib.import_module(_MODULES[name]), name)
    except MissingDependency as missing:
        raise missing.needed_by(name) from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*_MODULES, "__version__"]
