"""The kinds of files: the folder that each lies in, how it is mutated, and who reads it."""

import contextlib
import functools
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fuzzing import damage, folders, framing, journeys, judge

Mutator = Callable[[random.Random, bytes, list[bytes]], damage.Damage]
Judge = Callable[[bytes, bytes], str | None]


@dataclass(frozen=True)
class Kind:
    """A kind of file: what writes its folder, its names there (a pattern), and who reads it."""

    build: Callable[[Path], None]
    pattern: str
    journeys: tuple[Callable[[Path], str], ...]
    is_commit: bool = False
    """Whether the files lie in the commit folder of a save that was cut off: their places are mutated too."""


@dataclass(frozen=True)
class Mutation:
    """What was done to a file, and why a changed answer could not be told from it, or None where it could."""

    what: str
    untold: str | None


def either(one: Mutator, share: float = 0.5) -> Mutator:
    """One mutator in a share of all cases, and plain bytes otherwise, or where the file is not of its form."""

    def mutate(rng: random.Random, data: bytes, others: list[bytes]) -> damage.Damage:
        if rng.random() < share:
            with contextlib.suppress(damage.OtherForm):
                return one(rng, data, others)
        return damage.in_bytes(rng, data, others)

    return mutate


def json_with(*values: object) -> Mutator:
    """Mostly JSON, whose values become `values` more often than others."""
    return either(lambda rng, data, others: damage.in_json(rng, data, values), 0.7)


PATHS = ("../elsewhere/model.safetensors", "/dev/zero", "model.safetensors", "..", ".", "config.json", "a/../b", "\0")
CONFIGS = json_with("gelu", "relu", "regression", "float16", {"0": "a", "2": "b"}, {"a": 0, "b": 0}, 64, 10**6)
FIELDS = {"content": "x"}, {"content": "[CLS]", "lstrip": 1}, {"content": None}
TOKENS = json_with("[MASK]", "<unk>", " ", *FIELDS, ["[CLS]"], 604, "left", "BertTokenizer")

FILES: dict[str, tuple[Mutator, Judge]] = {
    "model.safetensors.index.json": (json_with(*PATHS), judge.of_index),
    "tokenizer.json": (TOKENS, judge.of_tokenizer),
    "config.json": (CONFIGS, judge.of_json),
    "albert_config.json": (CONFIGS, judge.of_json),
    ".json": (TOKENS, judge.of_json),
    ".safetensors": (either(framing.in_header), judge.of_safetensors),
    ".bin": (either(framing.in_record), judge.of_pickle),
    ".index": (either(framing.in_block), judge.of_checked),
    "checkpoint": (damage.in_bytes, judge.of_checked),
    ".txt": (damage.in_bytes, judge.of_text),
    ".model": (damage.in_bytes, judge.of_unchecked),
    ".h5": (damage.in_bytes, judge.of_unchecked),
    ".msgpack": (damage.in_bytes, judge.of_unchecked),
    "": (damage.in_bytes, judge.of_checked),
}
"""How a file is mutated and evaluated, by what its name ends with; the first that fits counts."""

CUT_OFF = ".albertkit-commit/*/*"
KINDS = {
    "config.json": Kind(folders.whole, "config.json", journeys.CONFIG),
    "tokenizer_config.json": Kind(folders.whole, "tokenizer_config.json", journeys.TOKENIZER),
    "special_tokens_map.json": Kind(folders.old_tokenizer, "special_tokens_map.json", journeys.TOKENIZER),
    "added_tokens.json": Kind(folders.old_tokenizer, "added_tokens.json", journeys.TOKENIZER),
    "spiece.model": Kind(folders.whole, "spiece.model", journeys.TOKENIZER),
    "tokenizer.json": Kind(folders.library, "tokenizer.json", journeys.LIBRARY),
    "vocab.txt": Kind(folders.wordpiece, "vocab.txt", journeys.TOKENIZER),
    "safetensors": Kind(folders.whole, "model.safetensors", journeys.WEIGHTS),
    "safetensors-of-others": Kind(folders.without_checksum, "model.safetensors", journeys.WEIGHTS),
    "shards": Kind(folders.sharded, "model-*.safetensors", journeys.WEIGHTS),
    "shard-index": Kind(folders.sharded, "*.index.json", journeys.WEIGHTS),
    "bin-zip": Kind(folders.pickled, "*.bin", journeys.WEIGHTS),
    "bin-old": Kind(functools.partial(folders.pickled, zipped=False), "*.bin", journeys.WEIGHTS),
    "h5": Kind(functools.partial(folders.legacy, kind="tensorflow"), "*.h5", journeys.LEGACY),
    "msgpack": Kind(functools.partial(folders.legacy, kind="flax"), "*.msgpack", journeys.LEGACY),
    "original-index": Kind(folders.original, "model.ckpt-best.index", journeys.LEGACY),
    "original-data": Kind(folders.original, "model.ckpt-best.data-*", journeys.LEGACY),
    "original-config": Kind(folders.original, "albert_config.json", journeys.LEGACY),
    "original-checkpoint": Kind(folders.original, "checkpoint", journeys.LEGACY),
    "commit": Kind(functools.partial(folders.cut_off, moved=0), CUT_OFF, journeys.EVERYTHING, is_commit=True),
    "commit-moved": Kind(functools.partial(folders.cut_off, moved=3), CUT_OFF, journeys.EVERYTHING, is_commit=True),
}


def mutate(kind: Kind, rng: random.Random, folder: Path, elsewhere: Path) -> Mutation:
    """Mutate one file of the folder of a case; `elsewhere` lies beside it and holds files of the same names."""
    file = rng.choice(sorted(folder.glob(kind.pattern)))
    if kind.is_commit and rng.random() < 0.5:
        return _rearranged(rng, file, elsewhere)
    if rng.random() < 0.05:
        before = file.read_bytes()
        what = damage.in_place(rng, file, elsewhere)
        untold = {"missing": judge.STATED, "a link to a file elsewhere": judge.STATED}
        untold["empty"] = _judge(file)(before, b"")
        return Mutation(f"{file.name} is {what}", untold.get(what))
    before = file.read_bytes()
    changed, evaluated = next(both for ending, both in FILES.items() if file.name.endswith(ending))
    what, after = changed(rng, before, folders.content(elsewhere))
    file.write_bytes(after)
    untold = judge.UNCHECKED if what.startswith(framing.SEALED) else evaluated(before, after)
    return Mutation(f"{file.name}: {what}", untold)


def _judge(file: Path) -> Judge:
    return next(evaluated for ending, (_, evaluated) in FILES.items() if file.name.endswith(ending))


def _rearranged(rng: random.Random, file: Path, elsewhere: Path) -> Mutation:
    """Give a file of a commit another name or part, or put something else in the place of a part or of the whole.

    Such a folder states another set of files.
    """
    part, commit = file.parent, file.parents[1]
    change = rng.choice(("named", "moved", "removed", "added", "a part", "the commit"))
    what = f"{part.name}/{file.name} {change}"
    if change == "named":
        names = ("config.json", "other", "model.safetensors", ".albertkit-commit", "\x1b[31m", " ", "x" * 200, "..json")
        file.rename(part / rng.choice(names))
    elif change == "moved":
        target = rng.choice((*(commit / name for name in ("files", "head", "stale")), commit, commit.parent))
        file.replace(target / file.name)
    elif change == "removed":
        file.unlink()
    elif change == "added":
        place = rng.choice((commit / "files", commit / "head", commit / "stale", commit))
        chosen = place / rng.choice(("x", "config.json"))
        make = rng.choice((Path.touch, Path.mkdir))
        chosen.write_bytes(b"{}") if chosen.exists() else make(chosen)
    else:
        place = part if change == "a part" else commit
        other = elsewhere / place.relative_to(commit.parent)
        shutil.rmtree(place)
        replace = rng.choice((None, Path.touch, Path.mkdir, lambda path: path.symlink_to(other)))
        if replace is not None:
            replace(place)
    return Mutation(what, judge.STATED)
