"""Tokenizers against those of Transformers: the same ids and types, and how fast.

Texts: the complete SST-2, 20,000 paragraphs of English Wikipedia, and strings drawn at random from what breaks
tokenizers. Run in the environment of requirements/oracle.txt: python benchmarks/tokenization.py
"""

import argparse
import csv
import json
import lzma
import os
import random
import sys
import tempfile
from pathlib import Path

import common

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

from transformers import AlbertTokenizer as PeerSlow
from transformers import AlbertTokenizerFast as PeerFast

from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.sentencepiece import AlbertTokenizer

VOCABULARY = common.DATA / "vocab" / "spiece.model"
ADDED = ["newtok", "Zürich-7", "<ent>"]

# Each alphabet is drawn from with equal chance, so that a string mixes scripts, marks, digits, spaces and controls.
ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz      ",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789,,,,..  ",
    " \t\n\r\u00a0\u3000\u2028\u200b\u200d\ufeff\x1c\x85",
    "àéîõüñçßøåæœÀÉÎÕÜİıŁłŠž",
    "e\u0301a\u0300o\u0308\u0327\u0489\u20dd\u093f\u0e31",
    "()\"-.–£€'`´‘’“”!?;:[]{}<>@#%&*/\\|~^_+=",
    "你好世界漢字日本語ひらがなカタカナｶﾀｶﾅ한국어\u1112\u1161\u11ab",
    "😀👍🏽👨‍👩‍👧🇩🇪❤️☃",
    "\x00\x01\x07\x1b\x7f\x80\x9f\u202e\ufffd\ufffe",
    "ΑΒΓΣΩασςωЖжЩщЯאבגالعربيةहिन्दीไทย",
    "½²³ﬁﬀⅣ①ＡＢＣ℡㎏𝚺𝔸™",
)
WORDS = [
    "[MASK]",
    "[CLS]",
    " [SEP] ",
    "<unk>",
    "<pad>",
    "``",
    "''",
    "1,000",
    "9,9,",
    "3.14,",
    "2013,",
    *ADDED,
    "NewTok",
]


def paragraphs(count: int) -> list[str]:
    found = []
    with lzma.open(common.DATA / "corpus" / "enwiki-00.jsonl.xz", "rt", encoding="utf-8") as file:
        for line in file:
            found += [paragraph for paragraph in json.loads(line)["text"].split("\n") if paragraph.strip()]
            if len(found) >= count:
                return found[:count]
    return found


def sentences() -> list[str]:
    found = []
    for name in ("train.tsv", "dev.tsv"):
        with (common.DATA / "glue" / "SST-2" / name).open(encoding="utf-8", newline="") as file:
            found += [row["sentence"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    return found


def drawn(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        text = ""
        for _ in range(rng.randint(0, 8)):
            if rng.random() < 0.2:
                text += rng.choice(WORDS)
            elif rng.random() < 0.03:
                text += chr(rng.choice([*range(0xD800), *range(0xE000, 0x110000)]))
            else:
                text += "".join(rng.choices(rng.choice(ALPHABETS), k=rng.randint(1, 6)))
        texts.append(text)
    return texts


def differing(ours, peer, texts: list[str]) -> list[str]:
    """The texts for which ids or types differ, alone or as a pair with the text before."""
    mine, theirs = ours(texts), peer(texts)
    wrong = {i for i in range(len(texts)) if mine["input_ids"][i] != theirs["input_ids"][i]}
    wrong |= {i for i in range(len(texts)) if mine["token_type_ids"][i] != theirs["token_type_ids"][i]}
    mine, theirs = ours(texts[1:], texts[:-1]), peer(texts[1:], texts[:-1])
    for column in ("input_ids", "token_type_ids"):
        wrong |= {i + 1 for i in range(len(texts) - 1) if mine[column][i] != theirs[column][i]}
    return [texts[i] for i in sorted(wrong)]


def published_json(folder: Path) -> Path:
    """A tokenizer.json like the published one: of its added tokens only the five special ones."""
    path = folder / "tokenizer.json"
    content = json.loads(PeerFast(str(VOCABULARY)).backend_tokenizer.to_str())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["id"] < 5]
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--drawn", type=int, default=50_000)
    parser.add_argument("--paragraphs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    texts = {"sst2": sentences(), "wikipedia": paragraphs(options.paragraphs), "drawn": drawn(options.drawn)}
    file = published_json(Path(tempfile.mkdtemp()))
    tokenizers = {
        "slow": (AlbertTokenizer(VOCABULARY), PeerSlow(str(VOCABULARY))),
        "fast_from_spiece": (AlbertTokenizerFast(VOCABULARY), PeerSlow(str(VOCABULARY))),
        "fast_from_json": (AlbertTokenizerFast(tokenizer_file=file), PeerFast(tokenizer_file=str(file))),
    }
    differences = {}
    for name, (ours, peer) in tokenizers.items():
        for which, rows in texts.items():
            if which == "drawn":
                ours.add_tokens(ADDED), peer.add_tokens(ADDED)
            wrong = differing(ours, peer, rows)
            differences[f"{name}/{which}"] = f"{len(wrong)} of {len(rows)}"
            for text in wrong[:5]:
                sys.stderr.write(f"{name}/{which}: {text!r}\n  {ours.tokenize(text)}\n  {peer.tokenize(text)}\n")
    wiki = texts["wikipedia"]
    ours, peer, slow = AlbertTokenizerFast(VOCABULARY), PeerFast(str(VOCABULARY)), PeerSlow(str(VOCABULARY))
    speed = common.in_turn(lambda: ours(wiki), lambda: peer(wiki), options.rounds)
    offsets = common.in_turn(
        lambda: ours(wiki, return_offsets_mapping=True), lambda: peer(wiki, return_offsets_mapping=True), options.rounds
    )
    slow_speed = common.in_turn(lambda: ours(wiki), lambda: slow(wiki), rounds=1, warmup=0)
    megabytes = sum(len(text.encode()) for text in wiki) / 1e6
    common.write(
        "tokenizers",
        {
            "fast": speed["ratio"],
            "fast with offsets": offsets["ratio"],
            "fast against slow": slow_speed["ratio"],
            "texts that differ": sum(int(count.split()[0]) for count in differences.values()),
        },
        {
            "MB/s": round(megabytes / speed["ours"], 2),
            "texts that differ": differences,
            "readings": speed["readings"]["ours"],
        },
        {"MB/s": round(megabytes / speed["peer"], 2), "readings": speed["readings"]["peer"]},
        ("albertkit", "transformers", "tokenizers", "sentencepiece"),
    )


if __name__ == "__main__":
    main()
