"""The files by which sentence-transformers makes vectors of a model, written beside it and read back as its config.

They are in the form of its releases before 6, which later ones read too.
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from albertkit import storage
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)

ARCHITECTURE = "AlbertForSentenceEmbedding"
MODULES, POOLING = "modules.json", "1_Pooling"
FILES = (MODULES, "sentence_bert_config.json", "config_sentence_transformers.json")
"""What is written beside the config, but for the folder POOLING."""
PATTERNS = (MODULES, "*_Pooling/config.json")
"""What is read."""

_MODES = {
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
}
_OTHER_MODES = ("mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")


def is_expressible(config: AlbertConfig) -> bool:
    """Whether sentence-transformers can pool so: it leaves no special token out."""
    return config.sentence_special_tokens or config.sentence_pooling == "cls"


def write(folder: Path, config: AlbertConfig) -> None:
    """Write FILES, for a caller that gathers the files of a model in one step; see `write_pooling`."""
    if not is_expressible(config):
        logger.warning(
            "sentence-transformers would pool special tokens too, which this model leaves out: its files are not "
            "written. Train with special tokens for a folder that it reads."
        )
        return
    modules = [("", "Transformer"), (POOLING, "Pooling")]
    modules += [("2_Normalize", "Normalize")] if config.sentence_normalize else []
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(modules)
    ]
    storage.write_json(folder / MODULES, listed)
    storage.write_json(folder / FILES[1], {"max_seq_length": None, "do_lower_case": False})
    storage.write_json(folder / FILES[2], {"prompts": {}, "default_prompt_name": None, "similarity_fn_name": "cosine"})


def write_pooling(folder: str | os.PathLike[str], config: AlbertConfig) -> None:
    """Write the folder POOLING, which is nothing without the file MODULES: so before the step in which that comes."""
    if not is_expressible(config):
        return
    pooling: Record = {"word_embedding_dimension": config.hidden_size}
    pooling |= {key: mode == config.sentence_pooling for mode, key in _MODES.items()}
    pooling |= {f"pooling_mode_{mode}": False for mode in _OTHER_MODES} | {"include_prompt": True}
    storage.write_json(Path(folder) / POOLING / "config.json", pooling)


def read(folder: storage.Folder) -> Record:
    """The keys of the config by which the modules of a folder make vectors; none where it has no modules.

    What cannot be done in the same way is logged as a warning.
    """
    path = folder.file(MODULES)
    if path is None:
        return {}
    kinds = {str(one.get("type", "")).rpartition(".")[2]: one for one in _modules(path)}
    if others := sorted(kinds.keys() - {"Transformer", "Pooling", "Normalize"}):
        logger.warning("%s has %s, which is left out: vectors are not those of its other reader.", path, others[0])
    if "Pooling" not in kinds:
        return {}
    place = str(kinds["Pooling"].get("path", ""))
    storage.require_plain_name(place, folder.path)
    own = storage.Folder(folder.path / place).file("config.json")
    if own is None:
        raise CheckpointError(f"{path} names {place}/config.json, which must be there. Repeat the download or copy.")
    return {**_pooling(own, storage.read_json(own)), "sentence_normalize": "Normalize" in kinds}


def _modules(path: Path) -> list[Record]:
    """The entries of a modules.json. CheckpointError where it is no list of them."""
    try:
        found = json.loads(storage.read_text(path))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} must be JSON text. Reading it failed: {error}. Repeat the copy.") from None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise CheckpointError(f"{path} must hold a list of modules. It holds something else. Repeat the copy.")
    return found


def _pooling(path: Path, stated: Mapping[str, Json]) -> Record:
    chosen = [mode for mode, key in _MODES.items() if stated.get(key)]
    others = [mode for mode in _OTHER_MODES if stated.get(f"pooling_mode_{mode}")]
    if "pooling_mode" in stated:  # as releases from 6 on write it
        chosen, others = ([stated["pooling_mode"]], []) if stated["pooling_mode"] in _MODES else ([], ["pooling_mode"])
    if len(chosen) != 1 or others:
        logger.warning(
            "%s pools by %s. Known are mean, cls and max, each alone: vectors are the mean here, and not those of "
            "sentence-transformers.",
            path,
            " and ".join([*chosen, *others]) or "nothing",
        )
        chosen = ["mean"]
    return {"sentence_pooling": chosen[0], "sentence_special_tokens": True}
