"""Texts and tokens that several tests of the tokenizers share."""

from hypothesis import strategies as st

from albertkit.tokenization.encoding import TokenizedText

HARD = [
    "",
    " ",
    "The café",
    "2,000, 1,",
    "a [MASK] b",
    "[SEP]",
    "漢字 😀",
    "``x''",
    "İ ﬁ ½",
    "\u200b",
    "x\ud800y",
    "cats hello",
]
words = st.lists(
    st.sampled_from(["the", "Cat", "2,000,", "é", "[MASK]", "gardener", "hello", "(x)", "漢"]), max_size=10
)

CLS, SEP, PAD = (2, "[CLS]"), (3, "[SEP]"), (0, "<pad>")
SPECIAL = CLS, SEP


def tokens(count, first=100):
    """Tokens with ids from `first` on, two to a word, each of three characters."""
    ids = list(range(first, first + count))
    return TokenizedText(
        ids, [f"t{i}" for i in ids], [(3 * i, 3 * i + 3) for i in range(count)], [i // 2 for i in range(count)]
    )
