"""Folders that one side wrote, read by the other: albertkit and Transformers, 4 and 5."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from albertkit import weight_table  # noqa: E402
from albertkit.config import AlbertConfig  # noqa: E402
from albertkit.tokenization.fast import AlbertTokenizerFast  # noqa: E402
from albertkit.torch import models  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.torch]

OWN = ("ForQuestionAnsweringBeamSearch", "ForSentenceEmbedding")
"""Heads that Transformers has not."""
HEADS = tuple(head for head in weight_table.PARTS if head not in OWN)
KEYS = {
    "vocab_size": 53,
    "embedding_size": 8,
    "hidden_size": 16,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 12,
    "num_hidden_layers": 4,
    "num_hidden_groups": 2,
    "inner_group_num": 2,
    "initializer_range": 0.3,
}
IDS = torch.tensor([[2, 17, 9, 31, 3], [2, 5, 40, 3, 0]])
SIZES = {"one file": "5GB", "shards": 6000}


def keys(head, **changes):
    classes = {"ForPreTraining": 2, "ForQuestionAnswering": 2}.get(head, 3)
    return {**KEYS, "num_labels": classes, **changes}


def ours(head, **changes):
    torch.manual_seed(1)
    return shaken(getattr(models, f"Albert{head}")(AlbertConfig(**keys(head, **changes))))


def theirs(head, **changes):
    torch.manual_seed(2)
    return shaken(getattr(transformers, f"Albert{head}")(transformers.AlbertConfig(**keys(head, **changes))))


def shaken(model):
    """The model with no parameter left at zero or one, ready to answer."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def answers(model, head):
    ids = IDS[:, None].repeat(1, 2, 1) if head == "ForMultipleChoice" else IDS
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=(ids != 0).long()).to_tuple()


def assert_same(first, second, head):
    found, expected = answers(first, head), answers(second, head)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert float((one - other).abs().max()) <= 1e-5


def complete(loaded):
    """The model of a load with `output_loading_info`, in which nothing was missing and nothing left over."""
    model, info = loaded
    assert {key: list(found) for key, found in info.items() if found} == {}
    return model.eval()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("head", HEADS)
def test_transformers_reads_what_we_save(tmp_path, head, size):
    model = ours(head)
    model.save_pretrained(tmp_path, max_shard_size=SIZES[size])
    assert (tmp_path / "model.safetensors").exists() == (size == "one file")
    peer = complete(getattr(transformers, f"Albert{head}").from_pretrained(tmp_path, output_loading_info=True))
    assert_same(model, peer, head)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "pickle"])
@pytest.mark.parametrize("head", HEADS)
def test_we_read_what_transformers_saves(tmp_path, head, safe, size):
    peer = theirs(head)
    peer.save_pretrained(tmp_path, safe_serialization=safe, max_shard_size=SIZES[size])
    assert any(tmp_path.glob("*.index.json")) == (size == "shards")
    model = complete(getattr(models, f"Albert{head}").from_pretrained(tmp_path, output_loading_info=True))
    assert_same(model, peer, head)


@pytest.mark.parametrize("head", ["ForPreTraining", "ForMaskedLM"])
def test_an_untied_decoder_goes_both_ways(tmp_path, head):
    model = ours(head, tie_word_embeddings=False)
    model.save_pretrained(tmp_path / "ours")
    peer = getattr(transformers, f"Albert{head}").from_pretrained(tmp_path / "ours", output_loading_info=True)
    peer = complete(peer)
    assert_same(model, peer, head)
    peer.save_pretrained(tmp_path / "theirs")
    again = getattr(models, f"Albert{head}").from_pretrained(tmp_path / "theirs", output_loading_info=True)
    assert_same(complete(again), peer, head)
    with torch.no_grad():  # Transformers 5 also unties the bias: what counts is the decoder's.
        peer.predictions.decoder.bias += 1
    peer.save_pretrained(tmp_path / "trained")
    assert_same(getattr(models, f"Albert{head}").from_pretrained(tmp_path / "trained"), peer, head)
    decoder, words = again[0].get_output_embeddings().weight, again[0].get_input_embeddings().weight
    assert not torch.equal(decoder, words)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("head", HEADS)
def test_we_read_state_dicts_of_both_pickle_formats(tmp_path, head, new):
    peer = theirs(head)
    peer.config.save_pretrained(tmp_path)
    torch.save(peer.state_dict(), tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=new)
    model = complete(getattr(models, f"Albert{head}").from_pretrained(tmp_path, output_loading_info=True))
    assert_same(model, peer, head)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "pickle"])
def test_half_precision_goes_both_ways(tmp_path, dtype, safe):
    peer = theirs("ForMaskedLM").to(dtype)
    peer.save_pretrained(tmp_path / "theirs", safe_serialization=safe)
    model = models.AlbertForMaskedLM.from_pretrained(tmp_path / "theirs", dtype="auto")
    assert model.dtype == dtype
    model.save_pretrained(tmp_path / "ours")
    back = complete(
        transformers.AlbertForMaskedLM.from_pretrained(tmp_path / "ours", dtype="auto", output_loading_info=True)
    )
    assert back.dtype == dtype
    for name, tensor in peer.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor)
        assert torch.equal(model.state_dict()[name], tensor)


@pytest.mark.parametrize("source", HEADS)
@pytest.mark.parametrize("target", HEADS)
def test_both_sides_miss_and_leave_the_same_tensors(tmp_path, source, target):
    peer = theirs(source, num_labels=2)
    torch.save(peer.state_dict(), tmp_path / "pytorch_model.bin")
    peer.config.save_pretrained(tmp_path)
    fitting = {"ignore_mismatched_sizes": True, "output_loading_info": True}
    _, found = getattr(models, f"Albert{target}").from_pretrained(tmp_path, **fitting)
    _, expected = getattr(transformers, f"Albert{target}").from_pretrained(tmp_path, **fitting)

    def plain(listed):
        listed = [key if isinstance(key, str) else key[0] for key in listed]
        return {name.removeprefix("albert.") for name in listed}

    # Transformers lists the decoder's bias beside the one that it is tied to.
    assert plain(found["missing_keys"]) == plain(expected["missing_keys"]) - {"predictions.decoder.bias"}
    assert plain(found["unexpected_keys"]) == plain(expected["unexpected_keys"])
    assert plain(found["mismatched_keys"]) == plain(expected["mismatched_keys"])


CONFIGS = {
    "default": {},
    "published base": {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072},
    "labels": {"id2label": {0: "no", 1: "maybe", 2: "yes"}, "label2id": {"no": 0, "maybe": 1, "yes": 2}},
    "other classes": {"num_labels": 7, "problem_type": "multi_label_classification"},
    "untied": {"tie_word_embeddings": False},
    "groups": {"num_hidden_groups": 3, "inner_group_num": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1},
    "tokens": {"vocab_size": 100, "pad_token_id": 5, "bos_token_id": None, "eos_token_id": 7},
    "precision": {"dtype": "bfloat16"},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_survives_the_way_through_the_other_side(tmp_path, name):
    config = AlbertConfig(**CONFIGS[name])
    config.save_pretrained(tmp_path / "out")
    transformers.AlbertConfig.from_pretrained(tmp_path / "out").save_pretrained(tmp_path / "back")
    back = AlbertConfig.from_pretrained(tmp_path / "back")
    assert back.transformers_version == transformers.__version__
    del back.transformers_version
    assert back == config


def test_an_unknown_key_survives_the_way_through_us(tmp_path):
    transformers.AlbertConfig(my_own={"a": [1]}).save_pretrained(tmp_path / "theirs")
    AlbertConfig.from_pretrained(tmp_path / "theirs").save_pretrained(tmp_path / "ours")
    assert transformers.AlbertConfig.from_pretrained(tmp_path / "ours").my_own == {"a": [1]}


@pytest.mark.skipif(transformers.__version__ < "5", reason="it is what Transformers 5 does")
def test_transformers_5_gives_no_token_types_unless_asked(tmp_path, data):
    AlbertTokenizerFast(tokenizer_file=data / "tokenizer.json").save_pretrained(tmp_path)
    theirs = transformers.AlbertTokenizer.from_pretrained(tmp_path)
    assert "token_type_ids" not in theirs("the", "story")
    assert set(theirs("the", "story", return_token_type_ids=True)["token_type_ids"]) == {0, 1}
    assert set(AlbertTokenizerFast.from_pretrained(tmp_path)("the", "story")["token_type_ids"]) == {0, 1}
