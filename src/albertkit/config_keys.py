"""The keys of a `config.json`: for each its rule, and for those common to all models their default.

Rules are checked wherever a config is made or read. Bounds lie far beyond every model that was ever published; they
keep a file from asking for endless work or for more memory than there is.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from albertkit.errors import abbreviate, did_you_mean
from albertkit.typing import Json, Record

REQUIRED_KEYS = (
    "vocab_size",
    "embedding_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
)
"""Keys that a file must state: nothing else tells them, and no default fits all models."""

LAYERS = 4096
"""Layers that one forward pass may run: `num_hidden_layers` times `inner_group_num`."""
LABELS = 2**19
"""Classes that a model may have."""

ACTIVATIONS = (
    *("gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_10", "quick_gelu"),
    *("relu", "relu6", "relu2", "leaky_relu", "silu", "swish", "mish", "tanh", "sigmoid", "linear"),
)
PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")


class Rule(NamedTuple):
    """What the value of a key must be: in words, as a check, and advice for a value that is not."""

    must: str
    holds: Callable[[Json], bool]
    advice: Callable[[Json], str] = lambda value: ""

    def complaint(self, key: str, value: Json) -> str | None:
        """A sentence on a value that breaks the rule, or None."""
        if self.holds(value):
            return None
        return f"`{key}` must be {self.must}. Received: {abbreviate(value)}.{self.advice(value)}"


def whole(most: int, least: int = 1) -> Rule:
    """A whole number within bounds."""
    return Rule(
        f"a whole number from {least} to {most:,}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most,
    )


def _number(must: str, holds: Callable[[float], bool] = lambda value: True) -> Rule:
    return Rule(
        must,
        lambda value: (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and abs(value) <= 1e300
            and math.isfinite(value)
            and holds(value)
        ),
    )


def or_none(rule: Rule) -> Rule:
    """The same, or null."""
    return rule._replace(must=f"{rule.must}, or null", holds=lambda value: value is None or rule.holds(value))


def one_of(names: tuple[str, ...]) -> Rule:
    """One of some names."""
    return Rule(f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names)


FLAG = Rule(
    "true or false",
    lambda value: isinstance(value, bool),
    lambda value: " In JSON true and false stand without quotes." if isinstance(value, str) else "",
)
TEXT = Rule("text", lambda value: isinstance(value, str))
TEXTS = Rule(
    "a list of texts",
    lambda value: isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value),
)
_COUNT = whole(2**31 - 1, least=0)
_TOKEN = whole(2**31 - 1, least=-(2**31))
_PROBABILITY = _number("a probability, at least 0 and below 1", lambda value: 0 <= value < 1)
_LIST = Rule("a list", lambda value: isinstance(value, (list, tuple)))
_TOKENS = Rule("a whole number or a list", lambda value: _TOKEN.holds(value) or _LIST.holds(value))
_ACTIVATION = Rule(
    f"one of {', '.join(ACTIVATIONS)}, or a function",
    lambda value: callable(value) or (isinstance(value, str) and value in ACTIVATIONS),
    lambda value: did_you_mean(value, ACTIVATIONS) if isinstance(value, str) else "",
)

RULES: dict[str, Rule] = {
    "vocab_size": whole(2**24),
    "embedding_size": whole(2**16),
    "hidden_size": whole(2**16),
    "num_hidden_layers": whole(LAYERS),
    "num_hidden_groups": whole(LAYERS),
    "num_attention_heads": whole(2**16),
    "intermediate_size": whole(2**20),
    "inner_group_num": whole(LAYERS),
    "max_position_embeddings": whole(2**20),
    "type_vocab_size": whole(2**16),
    **dict.fromkeys(("start_n_top", "end_n_top"), whole(2**10)),
    "hidden_act": _ACTIVATION,
    "hidden_dropout_prob": _PROBABILITY,
    "attention_probs_dropout_prob": _PROBABILITY,
    "classifier_dropout_prob": or_none(_PROBABILITY),
    "initializer_range": _number("a number of at least 0 and at most 100", lambda value: 0 <= value <= 100),
    "layer_norm_eps": _number("a number above 0 and at most 1", lambda value: 0 < value <= 1),
    "position_embedding_type": Rule(
        '"absolute", the only kind that any published ALBERT has', lambda value: value == "absolute"
    ),
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), or_none(_TOKEN)),
    **dict.fromkeys(("return_dict", "tie_word_embeddings", "output_hidden_states", "output_attentions"), FLAG),
    **dict.fromkeys(("gradient_checkpointing", "torchscript", "use_bfloat16", "tf_legacy_loss"), FLAG),
    **dict.fromkeys(("is_encoder_decoder", "is_decoder", "add_cross_attention", "tie_encoder_decoder"), FLAG),
    "problem_type": or_none(one_of(PROBLEM_TYPES)),
    **dict.fromkeys(("dtype", "finetuning_task", "tokenizer_class", "prefix"), or_none(TEXT)),
    "name_or_path": TEXT,
    "architectures": or_none(TEXTS),
    "chunk_size_feed_forward": _COUNT,
    "pruned_heads": Rule(
        "empty: head pruning is not supported",
        lambda value: value == {},
        lambda value: " Save the model unpruned, or mask heads with `head_mask`.",
    ),
    **dict.fromkeys(("sep_token_id", "decoder_start_token_id"), or_none(_TOKEN)),
    # What only models that generate text read.
    **dict.fromkeys(("do_sample", "return_dict_in_generate", "output_scores", "remove_invalid_values"), or_none(FLAG)),
    "early_stopping": or_none(
        Rule('true, false or "never"', lambda value: value == "never" or isinstance(value, bool))
    ),
    **dict.fromkeys(("max_length", "min_length", "top_k", "num_beams", "num_beam_groups"), or_none(_COUNT)),
    **dict.fromkeys(("num_return_sequences", "cross_attention_hidden_size"), or_none(_COUNT)),
    **dict.fromkeys(("no_repeat_ngram_size", "encoder_no_repeat_ngram_size"), or_none(_COUNT)),
    **dict.fromkeys(("temperature", "top_p", "typical_p", "repetition_penalty"), or_none(_number("a number"))),
    **dict.fromkeys(("length_penalty", "diversity_penalty"), or_none(_number("a number"))),
    **dict.fromkeys(("forced_bos_token_id", "forced_eos_token_id"), or_none(_TOKENS)),
    **dict.fromkeys(("suppress_tokens", "begin_suppress_tokens", "bad_words_ids"), or_none(_LIST)),
    "exponential_decay_length_penalty": or_none(_LIST),
    "sentence_pooling": one_of(("mean", "cls", "max")),
    **dict.fromkeys(("sentence_special_tokens", "sentence_normalize"), FLAG),
    "sentence_temperature": _number("a number above 0", lambda value: value > 0),
    "early_exit": FLAG,
    "early_exit_patience": whole(LAYERS, least=0),
    "early_exit_threshold": or_none(_number("a number above 0", lambda value: value > 0)),
    "task_specific_params": or_none(Rule("an object", lambda value: isinstance(value, dict))),
}
"""The rule of each key."""

COMMON: Record = {
    **dict.fromkeys(("return_dict", "tie_word_embeddings"), True),
    **dict.fromkeys(("output_hidden_states", "output_attentions", "gradient_checkpointing", "output_scores"), False),
    **dict.fromkeys(("torchscript", "use_bfloat16", "tf_legacy_loss", "tie_encoder_decoder"), False),
    **dict.fromkeys(("is_encoder_decoder", "is_decoder", "add_cross_attention", "remove_invalid_values"), False),
    **dict.fromkeys(("do_sample", "early_stopping", "return_dict_in_generate"), False),
    **dict.fromkeys(("dtype", "problem_type", "architectures", "finetuning_task", "task_specific_params"), None),
    **dict.fromkeys(("tokenizer_class", "prefix", "sep_token_id", "decoder_start_token_id", "bad_words_ids"), None),
    **dict.fromkeys(("cross_attention_hidden_size", "forced_bos_token_id", "forced_eos_token_id"), None),
    **dict.fromkeys(("exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens"), None),
    **dict.fromkeys(("chunk_size_feed_forward", "min_length"), 0),
    **dict.fromkeys(("no_repeat_ngram_size", "encoder_no_repeat_ngram_size"), 0),
    "diversity_penalty": 0.0,
    **dict.fromkeys(("num_beams", "num_beam_groups", "num_return_sequences"), 1),
    **dict.fromkeys(("temperature", "top_p", "typical_p", "repetition_penalty", "length_penalty"), 1.0),
    "max_length": 20,
    "top_k": 50,
    **dict.fromkeys(("start_n_top", "end_n_top"), 5),
    # How AlbertForSentenceEmbedding pools, and by which temperature it learns; whether its vectors are normalised.
    "sentence_pooling": "mean",
    "sentence_special_tokens": False,
    "sentence_normalize": True,
    "sentence_temperature": 0.05,
    # Whether a classifier was trained after every layer; after how many that agree it stops, 0 for never; how near to
    # each other numbers are that agree, in units of the labels.
    "early_exit": False,
    "early_exit_patience": 0,
    "early_exit_threshold": None,
    "name_or_path": "",
    "pruned_heads": {},
}
"""Keys that any model's config.json may hold, by their default. Models read some; all survive a round trip."""
