"""Writes tests/data/legacy: one small model a framework, in every format that its old library wrote.

    .venv-oracle-tf/bin/python tests/data/make_legacy.py tensorflow
    .venv-oracle-flax/bin/python tests/data/make_legacy.py flax

`tensorflow` also writes the same values as a checkpoint of the original code, in two data files and with the optimizer
slots of a training. The outputs of each model lie beside it, so that a reader is judged by what the weights compute.
"""

import json
import os
import sys
from pathlib import Path

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", "HF_HUB_OFFLINE": "1"}

import numpy as np

FOLDER = Path(__file__).parent / "legacy"
CONFIG = {
    "vocab_size": 31,
    "embedding_size": 6,
    "hidden_size": 12,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 9,
    "num_hidden_layers": 4,
    "num_hidden_groups": 2,
    "inner_group_num": 2,
}
IDS = np.random.default_rng(0).integers(1, CONFIG["vocab_size"], (2, 7))


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values large enough that a mistake in any of them shows."""
    values = np.random.default_rng([*name.encode()]).standard_normal(shape).astype(np.float32) * 0.3
    return values + 1 if name.endswith(("gamma", "scale")) else values


def write_outputs(folder: Path, outputs) -> None:
    logits = {name: np.asarray(outputs[name]) for name in ("prediction_logits", "sop_logits")}
    np.savez(folder / "outputs.npz", input_ids=IDS, **logits)


def save(model, name: str, **options) -> Path:
    """`model.save_pretrained` with and without safetensors; returns the folder of the latter."""
    for kind, safe in ((name, False), (f"{name}_safetensors", True)):
        model.save_pretrained(FOLDER / kind, safe_serialization=safe, **options)
    return FOLDER / name


def tensorflow() -> None:
    import tensorflow
    from transformers import AlbertConfig, TFAlbertForPreTraining

    model = TFAlbertForPreTraining(AlbertConfig(**CONFIG))
    model(IDS)
    for variable in model.weights:
        variable.assign(drawn(variable.name.removesuffix(":0"), tuple(variable.shape)))
    folder = save(model, "tensorflow")
    write_outputs(folder, model(IDS))
    values = {variable.name.split("/", 1)[1].removesuffix(":0"): variable.numpy() for variable in model.weights}
    write_original(tensorflow, values)


def write_original(tensorflow, values: dict[str, np.ndarray]) -> None:
    """The checkpoint of the original code, names written out here as they stand in published ones."""
    layer, scope = "albert/encoder/albert_layer_groups_._{}/albert_layers_._{}", "transformer/group_{}/inner_group_{}"
    modules = {
        **{f"attention/{name}": f"attention_1/self/{name}" for name in ("query", "key", "value")},
        "attention/dense": "attention_1/output/dense",
        "attention/LayerNorm": "LayerNorm",
        "ffn": "ffn_1/intermediate/dense",
        "ffn_output": "ffn_1/intermediate/output/dense",
        "full_layer_layer_norm": "LayerNorm_1",
    }
    places = [(group, inner) for group in range(2) for inner in range(2)]
    renamed = {
        f"{layer.format(*place)}/{ours}": f"bert/encoder/{scope.format(*place)}/{theirs}"
        for place in places
        for ours, theirs in modules.items()
    }
    renamed |= {
        "albert/embeddings/LayerNorm": "bert/embeddings/LayerNorm",
        "albert/encoder/embedding_hidden_mapping_in": "bert/encoder/embedding_hidden_mapping_in",
        "albert/pooler": "bert/pooler/dense",
        "predictions/LayerNorm": "cls/predictions/transform/LayerNorm",
        "predictions/dense": "cls/predictions/transform/dense",
    }
    variables = {
        **{f"bert/embeddings/{table}_embeddings": f"albert/embeddings/{table}_embeddings/{leaf}" for table, leaf in (
            ("word", "weight"), ("position", "embeddings"), ("token_type", "embeddings"))},
        "cls/predictions/output_bias": "predictions/decoder/bias",
        "cls/seq_relationship/output_bias": "sop_classifier/classifier/bias",
    }  # fmt: skip
    stored = {name: values[other] for name, other in variables.items()}
    stored["cls/seq_relationship/output_weights"] = values["sop_classifier/classifier/kernel"].T
    for name, value in values.items():
        module, _, leaf = name.rpartition("/")
        if module in renamed:
            stored[f"{renamed[module]}/{leaf}"] = value
    slots = {f"{name}/{slot}": np.ones_like(value) for name, value in stored.items() for slot in ("adam_m", "adam_v")}
    stored |= {name: slot for name, slot in slots.items() if "embeddings/LayerNorm" in name}
    stored["global_step"] = np.array(1000, np.int64)
    names = sorted(stored)
    folder = FOLDER / "original"
    folder.mkdir(parents=True, exist_ok=True)
    shards = [str(folder / "part0"), str(folder / "part1")]
    for shard, half in zip(shards, (names[::2], names[1::2]), strict=True):
        tensorflow.raw_ops.SaveV2(
            prefix=shard, tensor_names=half, shape_and_slices=[""] * len(half), tensors=[stored[name] for name in half]
        )
    prefix = str(folder / "model.ckpt-best")
    tensorflow.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=shards, destination_prefix=prefix)
    # The original code has no model_type, and calls the tanh form plainly gelu.
    config = {**CONFIG, "hidden_act": "gelu", "type_vocab_size": 2, "hidden_dropout_prob": 0, "net_structure_type": 0}
    (folder / "albert_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "checkpoint").write_text('model_checkpoint_path: "/home/someone/run/model.ckpt-best"\n')


def flax() -> None:
    from flax.traverse_util import flatten_dict, unflatten_dict
    from transformers import AlbertConfig, FlaxAlbertForPreTraining

    model = FlaxAlbertForPreTraining(AlbertConfig(**CONFIG))
    flat = flatten_dict(model.params, sep="/")
    model.params = unflatten_dict({name: drawn(name, value.shape) for name, value in flat.items()}, sep="/")
    write_outputs(save(model, "flax"), model(IDS))


if __name__ == "__main__":
    {"tensorflow": tensorflow, "flax": flax}[sys.argv[1]]()
