"""Writes tokenizer.json and tokenizer_golden.json beside this file. Needs transformers 4.57.6 and nothing of albertkit.

`tokenizer.json` is what Transformers makes of spiece.model, with only the ids 0 to 4 as added tokens, as the published
tokenizer.json files have it. The golden file holds what Transformers' two tokenizers answer for hard texts.
"""

import json
from pathlib import Path

import transformers
from transformers import AddedToken, AlbertTokenizer, AlbertTokenizerFast

HERE = Path(__file__).parent
SPIECE, TOKENIZER, GOLDEN = HERE / "spiece.model", HERE / "tokenizer.json", HERE / "tokenizer_golden.json"

# What the cases marked "added" add: (content, flags), and an additional special token.
ADDED = [("newtok", {}), ("Zürich-West", {}), ("<|tail|>", {"rstrip": True, "normalized": False})]
SPECIAL = "<entity>"

LETTERS = [
    "",
    " ",
    "a",
    "The lighthouse keeper climbed the stairs",
    "THE LIGHTHOUSE KEEPER CLIMBED THE STAIRS",
    "the  old\tclock\nstruck   thirteen",
    "  leading and trailing  ",
    "\n\n",
    "a\u00a0no-break\u2003space\u3000wide",
    "zero\u200bwidth\ufeffmarks\u2060",
    "soft\u00adhyphen",
    "café crêpes éclairs",
    "CAFÉ CRÊPES ÉCLAIRS",
    "cafe\u0301 with a combining mark",
    "\u0301 starts with a combining mark",
    "naïve résumé Señora Göteborg Århus Kraków São",
    "Straße, İstanbul, ŁÓDŹ, Ångström",
    "ΟΔΥΣΣΕΥΣ Σ ΑΣ.",
    "𝚺𝐀𝐁 ﬁne ﬂow ﬃ",
    "Ⅷ ½ ¼ ² ³ ℡ №",
    "ｆｕｌｌ　ｗｉｄｔｈ，１９９９，",
    "한국어 텍스트",
    "日本語のテキスト、中文文本。",
    "漢字kanji混ざり",
    "עברית ועם נִקּוּד",
    "العربية بالتَّشكيل",
    "हिन्दी पाठ",
    "ไทยภาษา",
    "emoji 😀 inside",
    "👩‍👩‍👧 family, 👍🏽 tone, 🇵🇱 flag",
    "a😀b😀",
    "control \x00 \x01 \x1f \x7f \x85 marks",
    "tab\tonly",
    "\u2581 the underline \u2581of\u2581 the model",
    "\u2028line\u2029paragraph",
    "right\u200fto\u200eleft",
    "x" * 40,
    "qqqqqqqq zzzz",
    "supercalifragilisticexpialidocious",
    "Ünïcödé ñandú čeština žluťoučký",
    "ά ἀ Ἀ ᾳ ᾼ",
    "ǅ ǈ ŉ ſ ß ẞ",
    "K Å Ω",
    "а́ й ё Щ",
    "o\u0308\u0304o\u0304\u0308",
    "\u1112\u1161\u11ab decomposed",
]
NUMBERS = [
    "2,000",
    "2,000,",
    "in 1999, it rained",
    "In 1999, it rained; in 2,000 it did not, in 2001, it did.",
    "1,",
    "5,",
    "8, 9, 10,",
    ",",
    ",,",
    "1,,2",
    "1,2,3,4",
    "0,0,0,",
    "x1, y2,",
    "$4,096, €60, £1,250, 5%, 6,",
    "1 ,",
    "-15, -1,",
    "1٬٢, ٣,",
    "①, ②,",
    "1\u0301,",
    "(1,) [2,] {3,}",
    "1995, and 2005, and 4,",
    "9.5, 9.7, 4.0,",
    "12,000 drawings, 4,000 letters, and 1, shoe",
]
MARKS = [
    '"Stop!" cried the guard',
    "``Stop!'' cried the guard",
    "```three``` '''three'''",
    "`one` 'one' '' `` ''''",
    "it's, we'll, can't",
    "twenty-five – and after – 25-30",
    'a(b)c - (d) "e" . f. £1 €2',
    "...",
    "!?!?",
    "a.b.c.",
    "semi;colon:slash/back\\slash|pipe",
    "http://example.org/a?b=c&d=e#f",
    "name@example.org",
    "#hash @at ~tilde ^caret *star* _under_",
    "<b>bold</b> & <i>it</i>",
    "math: a<b, c>d, e≤f, g≠h, ∞ ∑ √",
    "€£¥$¢",
    "«quoted» „quoted“ ‚quoted‘",
]
SPECIALS = [
    "[MASK]",
    "the [MASK] sat",
    "the[MASK]sat",
    "the  [MASK]  sat",
    "[MASK] [MASK][MASK]",
    "[CLS] the cat [SEP]",
    "[cls] the cat [sep]",
    "<pad><unk>",
    "<unk> word <pad> word",
    "[MASK], 1, [SEP]",
    "[[MASK]]",
    "[MAS K]",
    "é[MASK]é",
    "\t[MASK]\n",
    "[SEP]2,000,[SEP]",
]
WITH_ADDED = [
    "newtok",
    "a newtok b",
    "anewtokb",
    "NEWTOK",
    "Zürich-West is west",
    "zürich-west is west",
    "the <|tail|>   end",
    "the <entity> and [MASK]",
    "<entity>newtok<|tail|>",
    "newtok, 1, newtok",
    "  newtok  ",
    "newtok newtoken",
]
LONG = (
    "The committee met in 2004, in 2007, and again in 2011, but nothing was decided.",
    "In 1999, it rained for forty days.",
)
PAIRS = [
    ("the cat", "the dog"),
    ("", "the dog"),
    ("the cat", ""),
    ("", ""),
    ("café", "2,000, 1,"),
    ("[MASK] first", "second [MASK]"),
    ("a [SEP] b", "c"),
    LONG,
    LONG[::-1],
]
TRUNCATED = [
    (pair, {"truncation": strategy, "max_length": length})
    for pair, strategy, lengths in (
        ((LONG[0], None), "longest_first", (3, 7, 12)),
        ((LONG[0], None), "only_first", (3, 7)),
        (LONG, "longest_first", (4, 5, 8, 15, 16, 25)),
        (LONG[::-1], "longest_first", (5, 8, 15, 16)),
        (LONG, "only_first", (16, 20)),
        (LONG, "only_second", (34, 40)),
        (("the cat", "the dog"), "longest_first", (5, 6, 7)),
    )
    for length in lengths
]


def cases():
    for text in (*LETTERS, *NUMBERS, *MARKS, *SPECIALS):
        yield {"text": text}
    for text in WITH_ADDED:
        yield {"text": text, "added": True}
    for text, pair in PAIRS:
        yield {"text": text, "pair": pair}
    for (text, pair), options in TRUNCATED:
        yield {"text": text, "options": options} if pair is None else {"text": text, "pair": pair, "options": options}
    yield {"text": "the cat", "options": {"padding": "max_length", "max_length": 8}}
    yield {"text": "the cat", "options": {"add_special_tokens": False}}
    yield {"text": "the cat", "options": {"padding": True, "pad_to_multiple_of": 8, "padding_side": "left"}}


def add(tokenizer):
    tokenizer.add_tokens([AddedToken(content, **flags) for content, flags in ADDED])
    tokenizer.add_special_tokens({"additional_special_tokens": [SPECIAL]})
    return tokenizer


def write_tokenizer_json():
    whole = json.loads(AlbertTokenizerFast(vocab_file=str(SPIECE)).backend_tokenizer.to_str())
    whole["added_tokens"] = [token for token in whole["added_tokens"] if token["id"] < 5]
    TOKENIZER.write_text(json.dumps(whole, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    assert transformers.__version__ == "4.57.6"
    transformers.logging.set_verbosity_error()
    write_tokenizer_json()
    makers = {
        "slow": lambda: AlbertTokenizer(str(SPIECE)),
        "fast": lambda: AlbertTokenizerFast(tokenizer_file=str(TOKENIZER)),
    }
    plain = {name: make() for name, make in makers.items()}
    added = {name: add(make()) for name, make in makers.items()}
    lines = []
    for case in cases():
        for name, tokenizer in (added if "added" in case else plain).items():
            pairs = [case["pair"]] if "pair" in case else None  # as a batch: alone, an empty second text is none at all
            encoded = tokenizer([case["text"]], pairs, **case.get("options", {}))
            case[name] = {"ids": encoded["input_ids"][0], "types": encoded["token_type_ids"][0]}
        lines.append(json.dumps(case, ensure_ascii=True))
    GOLDEN.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
