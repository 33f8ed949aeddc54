from hypothesis import given
from hypothesis import strategies as st

from albertkit.tokenization.encoding import Encoding, TokenizedText
from tokenization.common import PAD, SPECIAL, tokens

counts = st.integers(0, 30)
specials = st.sampled_from([None, SPECIAL])
sides = st.sampled_from(["right", "left"])


@given(counts, st.none() | counts, specials, st.integers(0, 5), sides)
def test_all_columns_have_the_length_of_the_input(first, second, special, pad, side):
    encoding = Encoding(tokens(first), None if second is None else tokens(second, 500), special)
    bare = encoding.ids
    encoding.pad(pad, side, PAD)
    assert len(encoding) == len(bare) + pad
    for name in ("ids", "tokens", "offsets", "word_ids", "sequence_ids", "type_ids", "special_tokens_mask"):
        assert len(getattr(encoding, name)) == len(encoding)
    assert encoding.ids == ([0] * pad + bare if side == "left" else bare + [0] * pad)
    assert encoding.attention_mask == ([0] * pad + [1] * len(bare) if side == "left" else [1] * len(bare) + [0] * pad)
    assert [index >= 100 for index in encoding.ids] == [not special for special in encoding.special_tokens_mask]


def test_the_columns_of_a_padded_pair():
    encoding = Encoding(tokens(3), tokens(2, 500), SPECIAL)
    encoding.pad(1, "right", PAD)
    assert encoding.ids == [2, 100, 101, 102, 3, 500, 501, 3, 0]
    assert encoding.tokens == ["[CLS]", "t100", "t101", "t102", "[SEP]", "t500", "t501", "[SEP]", "<pad>"]
    assert encoding.type_ids == [0, 0, 0, 0, 0, 1, 1, 1, 0]
    assert encoding.sequence_ids == [None, 0, 0, 0, None, 1, 1, None, None]
    assert encoding.word_ids == [None, 0, 0, 1, None, 0, 0, None, None]
    assert encoding.offsets == [(0, 0), (0, 3), (3, 6), (6, 9), (0, 0), (0, 3), (3, 6), (0, 0), (0, 0)]
    assert encoding.special_tokens_mask == [1, 0, 0, 0, 1, 0, 0, 1, 1]


def test_without_special_tokens_the_second_text_has_type_one():
    encoding = Encoding(tokens(2), tokens(1, 500), None)
    assert (encoding.ids, encoding.type_ids, encoding.sequence_ids) == ([100, 101, 500], [0, 0, 1], [0, 0, 1])


def test_tokens_without_an_alignment_are_cut_without_one():
    assert TokenizedText([1, 2, 3]).cut(1, 3) == TokenizedText([2, 3], None, None, None)
    assert tokens(3).cut(1, 2) == TokenizedText([101], ["t101"], [(3, 6)], [0])
