"""Models, weights and batches that the tests of all frameworks share. NumPy only."""

import itertools

import numpy as np

from albertkit import weight_table
from albertkit.config import AlbertConfig

HEADS = tuple(weight_table.PARTS)
PEERS = tuple(head for head in HEADS if head not in ("ForQuestionAnsweringBeamSearch", "ForSentenceEmbedding"))
"""The heads that Transformers has, too, so that there are kept outputs of its models."""
BATCH, LENGTH, CHOICES = 3, 11, 2
OF_SEVERAL = ("ForMultipleChoice", "ForSentenceEmbedding")
"""Heads whose rows are several sequences each."""
POSITIONS = {
    # Inside, beyond the end, and negative.
    "start_positions": np.array([2, LENGTH + 2, -1]),
    "end_positions": np.array([5, LENGTH, 3]),
}
SMALL = {
    "vocab_size": 61,
    "embedding_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 16,
    "classifier_dropout_prob": 0.0,
}
# Every axis of a config that changes what is computed.
AXES = {
    "plain": {},
    "groups": {"num_hidden_groups": 2},
    "inner layers": {"inner_group_num": 2},
    "groups and inner layers": {"num_hidden_groups": 2, "inner_group_num": 2},
    "groups that do not divide": {"num_hidden_layers": 5, "num_hidden_groups": 2},
    "relu": {"hidden_act": "relu"},
    "erf gelu": {"hidden_act": "gelu"},
    "silu": {"hidden_act": "silu"},
    "wide norm": {"layer_norm_eps": 1e-3},
    "untied": {"tie_word_embeddings": False},
}


def small(**changes) -> AlbertConfig:
    return AlbertConfig(**{**SMALL, **changes})


def random_tensors(config: AlbertConfig, head: str) -> dict[str, np.ndarray]:
    """Values for every tensor of a model, large enough that a mistake in any of them shows."""
    tensors = {}
    for name, shape in weight_table.expected(config, head).items():
        values = np.random.default_rng([7, *name.encode()]).standard_normal(shape).astype(np.float32) * 0.1
        tensors[name] = values + 1 if weight_table.kind(name) == "norm" and name.endswith("weight") else values
    return {name: tensors[weight_table.tied(config).get(name, name)] for name in tensors}


def batch(head: str, padding: str | None = "right", seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs and labels for a head, padded on one side or not at all."""
    rng = np.random.default_rng(seed)
    shape = (BATCH, CHOICES, LENGTH) if head in OF_SEVERAL else (BATCH, LENGTH)
    mask = np.ones(shape, np.int64)
    if padding:
        for row, cut in zip(mask.reshape(-1, LENGTH), itertools.cycle((0, 3, 6))):
            row[:cut] = 0
            row[:] = row[::-1] if padding == "right" else row
    inputs = {
        "input_ids": rng.integers(1, SMALL["vocab_size"], shape),
        "token_type_ids": rng.integers(0, 2, shape),
        "attention_mask": mask,
    }
    given = {**inputs, **labels(head, mask, rng)}
    if head == "ForQuestionAnsweringBeamSearch":
        given["p_mask"] = np.tile([0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1], (BATCH, 1))
    return given


def labels(head: str, mask: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    masked = np.where(rng.random(mask.shape) < 0.4, rng.integers(0, SMALL["vocab_size"], mask.shape), -100)
    return {
        "Model": {},
        "ForPreTraining": {"labels": masked, "sentence_order_label": rng.integers(0, 2, BATCH)},
        "ForMaskedLM": {"labels": masked},
        "ForSequenceClassification": {"labels": rng.integers(0, 2, BATCH)},
        "ForMultipleChoice": {"labels": rng.integers(0, CHOICES, BATCH)},
        "ForSentenceEmbedding": {"labels": np.array([4, 2, 4])},
        "ForTokenClassification": {"labels": np.where(mask == 1, rng.integers(0, 2, mask.shape), -100)},
        "ForQuestionAnswering": POSITIONS,
        "ForQuestionAnsweringBeamSearch": {
            **POSITIONS,
            "is_impossible": np.array([0, 0, 1]),
        },
    }[head]


def cancelled(head: str, name: str) -> bool:
    """Whether a softmax makes the gradient of a parameter zero but for rounding."""
    shifts = ("key.bias", "qa_outputs.bias", "start_logits.dense.bias", "end_logits.dense_1.bias")
    return name.endswith(shifts) or (head, name) == ("ForMultipleChoice", "classifier.bias")


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference over largest value."""
    assert ours.shape == theirs.shape
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-12))


CHANGES_NOTHING = {
    "use_auth_token": True,
    "resume_download": True,
    "low_cpu_mem_usage": True,
    "_fast_init": False,
    "offload_folder": "offload",
    "offload_state_dict": True,
    "trust_remote_code": False,
    "adapter_kwargs": None,
    "proxies": None,
    "_from_auto": True,
    "_commit_hash": None,
    "load_in_8bit": False,
    "quantization_config": None,
    "max_memory": None,
    "gguf_file": None,
    "key_mapping": None,
    "tp_plan": None,
    "mirror": "x",
}
"""Keywords of Transformers' loaders that change nothing here."""
