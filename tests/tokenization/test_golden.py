"""Our answers against those of Transformers, stored by tests/data/make_tokenizer_golden.py."""

import json

import pytest
from tokenizers import AddedToken

ADDED = [
    AddedToken("newtok"),
    AddedToken("Zürich-West"),
    AddedToken("<|tail|>", rstrip=True, normalized=False),
]


@pytest.fixture(scope="module")
def cases(data):
    return json.loads((data / "tokenizer_golden.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("kind", "peer"), [("slow", "slow"), ("exact", "slow"), ("library", "fast")])
@pytest.mark.parametrize("added", [False, True])
def test_ids_and_types_are_those_of_transformers(kind, peer, added, cases, makers):
    tokenizer = makers[kind]()
    if added:
        tokenizer.add_tokens(ADDED)
        tokenizer.add_special_tokens({"additional_special_tokens": ["<entity>"]})
    chosen = [case for case in cases if case.get("added", False) == added]
    assert len(chosen) > (10 if added else 120)
    wrong = []
    for case in chosen:
        encoded = tokenizer(case["text"], case.get("pair"), **case.get("options", {}))
        ours = {"ids": encoded["input_ids"], "types": encoded["token_type_ids"]}
        if ours != case[peer]:
            wrong.append((case, ours))
    assert wrong == []
