"""Reads checkpoints of ALBERT's original code (TensorFlow 1) and the TF-Hub modules made from them.

The variables lie in the files of `tf_checkpoint`. What is known here: how the original code names them and its
configs, and what forks of it did differently.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from albertkit import storage, weight_table
from albertkit.arrays import Tensors
from albertkit.checkpoint.formats import tf_checkpoint
from albertkit.checkpoint.framework_names import Translated
from albertkit.config import CONFIG_FILE, SIZES, AlbertConfig
from albertkit.errors import CheckpointError, CheckpointNotFound

logger = logging.getLogger(__name__)

ORIGINAL_CONFIG = "albert_config.json"
SAVED_MODEL = "saved_model.pb"
PATTERNS = (
    *("checkpoint", "*.index", "*.data-*-of-*", "albert_config*.json", CONFIG_FILE),
    *(SAVED_MODEL, "variables/variables.*", "assets/*"),
)
"""What to fetch of a model on the hub."""

_LAYER = "bert/encoder/transformer/group_{g}/inner_group_{j}"
# The scope of each module; those of a layer by what stands behind the layer's own name.
_SCOPES = {
    "albert.embeddings.LayerNorm": "bert/embeddings/LayerNorm",
    "albert.encoder.embedding_hidden_mapping_in": "bert/encoder/embedding_hidden_mapping_in",
    "attention.query": f"{_LAYER}/attention_1/self/query",
    "attention.key": f"{_LAYER}/attention_1/self/key",
    "attention.value": f"{_LAYER}/attention_1/self/value",
    "attention.dense": f"{_LAYER}/attention_1/output/dense",
    "attention.LayerNorm": f"{_LAYER}/LayerNorm",
    "ffn": f"{_LAYER}/ffn_1/intermediate/dense",
    "ffn_output": f"{_LAYER}/ffn_1/intermediate/output/dense",
    "full_layer_layer_norm": f"{_LAYER}/LayerNorm_1",
    "albert.pooler": "bert/pooler/dense",
    "predictions.dense": "cls/predictions/transform/dense",
    "predictions.LayerNorm": "cls/predictions/transform/LayerNorm",
    "start_logits.dense": "start_logits/dense",
    **{f"end_logits.{layer}": f"end_logits/{layer}" for layer in ("dense_0", "LayerNorm", "dense_1")},
    **{f"answer_class.{layer}": f"answer_class/{layer}" for layer in ("dense_0", "dense_1")},
}
_LEAVES = {("dense", "weight"): "kernel", ("norm", "weight"): "gamma", ("norm", "bias"): "beta"}
# Variables that no layer made. The weights of these heads are stored as here, C by H.
_VARIABLES = {
    "albert.embeddings.word_embeddings.weight": "bert/embeddings/word_embeddings",
    "albert.embeddings.position_embeddings.weight": "bert/embeddings/position_embeddings",
    "albert.embeddings.token_type_embeddings.weight": "bert/embeddings/token_type_embeddings",
    "predictions.bias": "cls/predictions/output_bias",
    "sop_classifier.classifier.weight": "cls/seq_relationship/output_weights",
    "sop_classifier.classifier.bias": "cls/seq_relationship/output_bias",
    "classifier.weight": "output_weights",
    "classifier.bias": "output_bias",
    "qa_outputs.weight": "cls/squad/output_weights",
    "qa_outputs.bias": "cls/squad/output_bias",
}

_SLOT = re.compile(
    r"(.*/)?((adam|lamb)_[mv]|Adam(_\d)?|Momentum|\w*Optimizer(_\d+)?|global_step|beta[12]_power|loss_scale"
    r"|save_counter/.*|_CHECKPOINTABLE_OBJECT_GRAPH)"
)
_INDICES = re.compile(r"group_(\d+)/inner_group_(\d+)/")
_LOOSE_NORM = re.compile(r"bert/encoder/transformer/group_.*/layer_normalization(?:_(\d+))?/(gamma|beta)")


@dataclass(frozen=True)
class Original:
    """What was read: the config, the tensors under canonical names, and sentences on what was inferred."""

    config: AlbertConfig
    translated: Translated
    notes: tuple[str, ...]


def variable_name(name: str) -> str | None:
    """The variable of a canonical name or template in the original code, or None where it has none."""
    if name in _VARIABLES:
        return _VARIABLES[name]
    layer = re.search(r"albert_layer_groups\.([^.]+)\.albert_layers\.([^.]+)\.", name)
    module, _, leaf = (name[layer.end() :] if layer else name).rpartition(".")
    if module not in _SCOPES:
        return None
    scope = _SCOPES[module].replace("{g}", layer[1]).replace("{j}", layer[2]) if layer else _SCOPES[module]
    return f"{scope}/{_LEAVES.get((weight_table.kind(name), leaf), leaf)}"


_KNOWN = {stored: row.name for row in weight_table.TABLE if (stored := variable_name(row.name)) is not None}


def canonical_name(stored: str) -> str | None:
    """The canonical name of a variable, or None where the weight table has none."""
    stored = stored.removeprefix("module/")
    if stored.startswith(("bert/embeddings/", "cls/")):
        stored = re.sub(r"/layer_normalization(_\d+)?/", "/LayerNorm/", stored)
    indices = _INDICES.search(stored)
    template = _KNOWN.get(_INDICES.sub("group_{g}/inner_group_{j}/", stored))
    return template.format(g=indices[1], j=indices[2]) if template and indices else template


def is_training_state(stored: str) -> bool:
    """Whether a variable belongs to the training, not to the model."""
    return _SLOT.fullmatch(stored) is not None


def find(place: Path) -> Path | None:
    """The prefix of the checkpoint at a place, or None where there is none.

    `place` is a prefix (`model.ckpt-best`), its index, a SavedModel, or a folder of checkpoints: there the one that
    the file `checkpoint` names, else the only one.
    """
    try:
        return _found(place)
    except CheckpointError:
        raise
    except OSError:  # a name that is too long with its ending, a folder that is closed
        return None


def _found(place: Path) -> Path | None:
    if place.suffix == tf_checkpoint.INDEX and place.is_file():
        return place.with_suffix("")
    if place.name and place.with_name(place.name + tf_checkpoint.INDEX).is_file():
        return place
    if (place / SAVED_MODEL).is_file() and (place / "variables" / "variables.index").is_file():
        return place / "variables" / "variables"
    held = sorted(path.name.removesuffix(tf_checkpoint.INDEX) for path in place.glob(f"*{tf_checkpoint.INDEX}"))
    newest = tf_checkpoint.newest(place)
    if newest in held:
        return place / str(newest)
    if len(held) > 1:
        raise CheckpointError(
            f"A folder must hold one checkpoint, or a file `checkpoint` that names the newest. {place} holds "
            f"{', '.join(held)}. Give the path of one, such as {place / held[-1]}."
        )
    return place / held[0] if held else None


def folders(prefix: Path) -> list[Path]:
    """Where the config and the vocabulary of a checkpoint may lie."""
    is_saved_model = prefix.name == "variables" and prefix.parent.name == "variables"
    return [prefix.parents[1] / "assets", prefix.parents[1]] if is_saved_model else [prefix.parent]


def read(prefix: Path, config: AlbertConfig | None = None) -> Original:
    """The checkpoint under a prefix. CheckpointError where it is damaged or not of this architecture.

    `config` replaces the checkpoint's own albert_config.json or config.json. Where there is none, it is inferred if
    the shapes are those of a published size.
    """
    opened = tf_checkpoint.open_checkpoint(prefix)
    _refuse_other_layouts(prefix, opened.entries)
    skipped = tuple(name for name in opened.entries if is_training_state(name))
    values = opened.read(name for name in opened.entries if not is_training_state(name))
    loose = {name: match for name in values if (match := _LOOSE_NORM.fullmatch(name.removeprefix("module/")))}
    tensors: Tensors = {}
    renamed = {}
    for stored, value in values.items():
        name = canonical_name(stored)
        if name is None or (name.startswith("qa_outputs.") and value.shape[:1] != (2,)):
            tensors |= {} if stored in loose else {stored: value}
            continue
        tensors[name] = np.ascontiguousarray(value.T) if stored.endswith("/kernel") else value
        renamed[stored] = name
    notes: list[str] = []
    if config is None:
        config, notes = _config(prefix, tensors)
    if loose:
        numbered: dict[int, dict[str, str]] = {}
        for stored, match in loose.items():
            numbered.setdefault(int(match[1] or 0), {})[match[2]] = stored
        config, tensors, note = _separate_norms(prefix, len(numbered), tensors, config)
        placed = _placed(numbered, config)
        tensors |= {name: values[stored] for stored, name in placed.items()}
        renamed |= placed
        logger.warning(note)
        notes = [*notes, note]
    return Original(config, Translated(tensors, renamed, skipped), tuple(notes))


def _refuse_other_layouts(prefix: Path, stored: Iterable[str]) -> None:
    if any("/layer_shared" in name or name.endswith("/word_embeddings_2") for name in stored):
        raise CheckpointError(
            f"A checkpoint must have ALBERT's architecture. {prefix} has that of the repository albert_zh, whose "
            "position and token-type embeddings are as wide as the hidden layers, so that no ALBERT can hold it. Take "
            "the same model in Google's layout: these releases have `google` in their name, such as "
            "albert_tiny_zh_google."
        )
    weights = [name for name in stored if not is_training_state(name)]
    known = [name for name in map(canonical_name, weights) if name]
    if not any(weight_table.part(name) == "encoder" for name in known):
        raise CheckpointError(
            f"A checkpoint must hold the variables of ALBERT's original code, bert/encoder/... {prefix} holds "
            f"{', '.join(weights[:3])}, ... Load it with the code that wrote it, and save its weights as safetensors "
            "under the names of docs/weights.md."
        )


def _config(prefix: Path, tensors: Mapping[str, np.ndarray]) -> tuple[AlbertConfig, list[str]]:
    for folder in folders(prefix):
        for file in (folder / ORIGINAL_CONFIG, folder / CONFIG_FILE, *sorted(folder.glob("albert_config*.json"))):
            if file.is_file():
                config, notes = _with_labels(read_config(file), tensors)
                if config.hidden_act != storage.read_json(file).get("hidden_act", config.hidden_act):
                    notes.append("The activation that the original code calls gelu is gelu_new, its tanh form.")
                return config, notes
    config, note = _inferred(prefix, tensors)
    logger.warning(note)
    config, notes = _with_labels(config, tensors)
    return config, [note, *notes]


def read_config(file: Path) -> AlbertConfig:
    """A config of the original code. What it calls `gelu` is the tanh form, which is called `gelu_new` here."""
    keys = storage.read_json(file)
    is_tanh_form = "model_type" not in keys and keys.get("hidden_act") == "gelu"
    return AlbertConfig.from_json_file(file, **({"hidden_act": "gelu_new"} if is_tanh_form else {}))


def _with_labels(config: AlbertConfig, tensors: Mapping[str, np.ndarray]) -> tuple[AlbertConfig, list[str]]:
    """The number of classes is not in a config of the original code, but in the shape of the head."""
    head = tensors.get("classifier.weight")
    if head is None or not head.ndim or head.shape[0] == config.num_labels:
        return config, []
    return config.changed(num_labels=head.shape[0]), [f"{head.shape[0]} classes, from the shape of the classifier."]


def _inferred(prefix: Path, tensors: Mapping[str, np.ndarray]) -> tuple[AlbertConfig, str]:
    """The config of the published size that the shapes belong to: nothing else tells the layers and the heads."""
    tables = [
        tensors.get(f"albert.embeddings.{table}_embeddings.weight") for table in ("word", "position", "token_type")
    ]
    wide = [tensor.shape for name, tensor in tensors.items() if name.endswith(".ffn.weight")]
    (v, e), (p, _), (t, _) = (table.shape if table is not None and table.ndim == 2 else (0, 0) for table in tables)
    for size, (depth, width, heads, feed_forward) in SIZES.items():
        if wide == [(feed_forward, width)] and e == 128:
            sizes = {"vocab_size": v, "max_position_embeddings": p, "type_vocab_size": t}
            note = f"No config: the shapes are those of the size {size}, taken for {depth} layers and {heads} heads."
            return getattr(AlbertConfig, size)(**sizes), note
    raise CheckpointNotFound(
        f"A checkpoint needs a config, and its shapes are of no published size, which would tell it. Put an "
        f"{ORIGINAL_CONFIG} or {CONFIG_FILE} into {folders(prefix)[-1]}, or pass `config`."
    )


def _separate_norms(
    prefix: Path, count: int, tensors: Tensors, config: AlbertConfig
) -> tuple[AlbertConfig, Tensors, str]:
    """The config and tensors of a checkpoint with numbered LayerNorms, and a sentence about them.

    Where the original code is run with the LayerNormalization of Keras, it numbers them in the order in which they are
    made, two a layer, and does not share them between layers as it shares all else. Such a model is an ALBERT with a
    group a layer, to which every layer's shared weights are copied.
    """
    inner, groups, layers = config.inner_group_num, config.num_hidden_groups, config.num_hidden_layers
    if count not in (2 * groups * inner, 2 * layers * inner):
        raise CheckpointError(
            f"The LayerNorms of a checkpoint must be two for each of {layers * inner} layers. {prefix} has {count}. "
            "Check that the config belongs to it."
        )
    note = "The epsilon of Keras' LayerNormalization is not stored: set `layer_norm_eps` if it was not 1e-12."
    if count == 2 * groups * inner:
        return config, tensors, note
    copied = dict(_copied(tensors, config.group_of_layer))
    note = f"The LayerNorms are not shared between layers, so that each layer became a group. {note}"
    return config.changed(num_hidden_groups=layers), copied, note


def _placed(numbered: Mapping[int, Mapping[str, str]], config: AlbertConfig) -> dict[str, str]:
    """The canonical name by the stored one, for the variables of LayerNorms by their number."""
    placed = {}
    for place, number in enumerate(sorted(numbered)):
        layer, second = divmod(place, 2)
        group, inner = divmod(layer, config.inner_group_num)
        module = "full_layer_layer_norm" if second else "attention.LayerNorm"
        for leaf, stored in numbered[number].items():
            name = f"albert.encoder.albert_layer_groups.{group}.albert_layers.{inner}.{module}"
            placed[stored] = f"{name}.{'weight' if leaf == 'gamma' else 'bias'}"
    return placed


def _copied(tensors: Tensors, group_of_layer: list[int]) -> Iterable[tuple[str, np.ndarray]]:
    for name, tensor in tensors.items():
        head, found, tail = name.partition(".albert_layer_groups.")
        if not found:
            yield name, tensor
            continue
        group, _, rest = tail.partition(".")
        for layer, source in enumerate(group_of_layer):
            if source == int(group):
                yield f"{head}.albert_layer_groups.{layer}.{rest}", tensor.copy()
