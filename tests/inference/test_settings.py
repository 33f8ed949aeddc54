"""Options of calls: their other names, and those that say how inputs are made."""

import pytest

from albertkit import pipeline
from albertkit.checkpoint import files
from albertkit.errors import InputError
from albertkit.inference.settings import renamed, split
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from frameworks.common import random_tensors, small

ASKED = {"question": "who saw the film of the man?", "context": " ".join(["the film of a man"] * 12)}


def test_an_option_may_have_its_other_name_but_not_both():
    assert renamed({"topk": 2, "max_seq_len": 32}) == {"top_k": 2, "max_length": 32}
    assert renamed({"topk": 2, "top_k": None}) == {"top_k": 2}
    with pytest.raises(InputError, match=r"`topk` is another name of `top_k`. Received: 2 and 3. Leave one out"):
        renamed({"topk": 2, "top_k": 3})


def test_options_of_transformers_that_are_none_here_say_what_is_in_their_place():
    known = {"aggregation_strategy": "none"}
    for name, told in (
        ("grouped_entities", 'aggregation_strategy="simple"'),
        ("ignore_subwords", 'aggregation_strategy="first"'),
        ("is_split_into_words", "as one text, with blanks between"),
    ):
        with pytest.raises(InputError, match=f"Received: '{name}'. Leave it out. .*{told}"):
            split({name: True}, "token-classification", known)


@pytest.mark.torch
def test_a_call_and_a_pipeline_may_say_how_a_context_is_cut(data, tmp_path):
    tokenizer = AlbertTokenizer(data / "spiece.model")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=64)
    files.save(tmp_path, config, random_tensors(config, "ForQuestionAnswering"), "AlbertForQuestionAnswering")
    tokenizer.save_pretrained(tmp_path)
    ask = pipeline("question-answering", str(tmp_path), "torch", max_seq_len=40)
    rows = []
    run = ask._engine.run
    ask._engine.run = lambda features, *sizes: rows.append(features) or run(features, *sizes)

    def windows(pipe=ask, **options):
        pipe(ASKED, **options)
        return [len(window) for window in rows[-1].columns["window"]], rows[-1]

    plain, features = windows()
    assert max(features.lengths()) == 40
    assert len(windows(doc_stride=2)[0]) < len(plain)
    assert windows(max_question_len=3)[0][0] > plain[0]
    assert ask.truncated == 1
    assert windows(max_length=24)[0][0] < plain[0]
    with pytest.raises(InputError, match=r"`doc_stride` must be at least 0. Received: -1"):
        ask(ASKED, doc_stride=-1)
