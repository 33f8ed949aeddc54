"""What a config says, by our class and by that of Transformers 4."""

import json

import pytest

transformers = pytest.importorskip("transformers")

from albertkit.config import AlbertConfig  # noqa: E402

pytestmark = pytest.mark.oracle

CONFIGS = {
    "default": {},
    "published base": {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072},
    "labels": {"id2label": {0: "no", 1: "maybe", 2: "yes"}, "label2id": {"no": 0, "maybe": 1, "yes": 2}},
    "one class": {"num_labels": 1, "problem_type": "regression"},
    "other classes": {"num_labels": 7, "problem_type": "multi_label_classification"},
    "outputs": {"output_hidden_states": True, "return_dict": False},
    "untied": {"tie_word_embeddings": False},
    "dropout": {"hidden_dropout_prob": 0.1, "classifier_dropout_prob": 0.0},
    "groups": {"num_hidden_groups": 3, "inner_group_num": 2, "hidden_act": "gelu"},
    "tokens": {"vocab_size": 100, "pad_token_id": 5, "bos_token_id": None, "eos_token_id": 7},
    "precision": {"dtype": "bfloat16"},
    "generation": {"max_length": 30, "top_k": 7},
    "task": {"finetuning_task": "sst2", "task_specific_params": {"a": {"b": 1}}, "architectures": ["AlbertModel"]},
}


def comparable(config):
    """What a config says, without the keys by which only one side marks its files."""
    text = json.loads(json.dumps(config.to_dict(), default=str))
    own = {"transformers_version", "_name_or_path", "name_or_path", "gradient_checkpointing"}
    text["dtype"] = str(text.get("dtype")).removeprefix("torch.")
    # Only this side has AlbertForSentenceEmbedding, AlbertForQuestionAnsweringBeamSearch and early exit.
    own |= {"start_n_top", "end_n_top", *(key for key in text if key.startswith(("sentence_", "early_exit")))}
    return {key: value for key, value in text.items() if key not in own}


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_go_both_ways(tmp_path, name):
    config, peer = AlbertConfig(**CONFIGS[name]), transformers.AlbertConfig(**CONFIGS[name])
    config.save_pretrained(tmp_path / "ours")
    peer.save_pretrained(tmp_path / "theirs")
    expected = comparable(peer)
    assert comparable(config) == expected
    assert comparable(AlbertConfig.from_pretrained(tmp_path / "theirs")) == expected
    assert comparable(transformers.AlbertConfig.from_pretrained(tmp_path / "ours")) == expected


def test_generation_keys_survive_the_way_through_the_other_side(tmp_path):
    config = AlbertConfig(**CONFIGS["generation"])
    config.save_pretrained(tmp_path / "out")
    transformers.AlbertConfig.from_pretrained(tmp_path / "out").save_pretrained(tmp_path / "back")
    back = AlbertConfig.from_pretrained(tmp_path / "back")
    assert (back.max_length, back.top_k) == (30, 7)


def test_our_file_holds_the_keys_that_theirs_holds(tmp_path):
    AlbertConfig().save_pretrained(tmp_path / "ours")
    transformers.AlbertConfig().save_pretrained(tmp_path / "theirs")
    found, expected = (json.loads((tmp_path / side / "config.json").read_text()) for side in ("ours", "theirs"))
    del expected["transformers_version"]
    assert found == expected
