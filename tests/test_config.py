import copy
import inspect
import json
import logging
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit import weight_table
from albertkit.config import CONFIG_FILE, SIZES, AlbertConfig
from albertkit.config_keys import ACTIVATIONS, COMMON, PROBLEM_TYPES, RULES
from albertkit.errors import AlbertkitError, CheckpointError, CheckpointNotFound, ConfigError

BACKBONE = {"base": 11_683_584, "large": 17_683_968, "xlarge": 58_724_864, "xxlarge": 222_595_584}
PRETRAINING = {"base": 11_813_810, "large": 17_847_474, "xlarge": 59_021_490, "xxlarge": 223_158_450}
PUBLISHED = {
    "vocab_size": 30000,
    "embedding_size": 128,
    "hidden_size": 4096,
    "num_hidden_layers": 12,
    "num_hidden_groups": 1,
    "num_attention_heads": 64,
    "intermediate_size": 16384,
    "inner_group_num": 1,
    "hidden_act": "gelu_new",
    "hidden_dropout_prob": 0,
    "attention_probs_dropout_prob": 0,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "classifier_dropout_prob": 0.1,
    "position_embedding_type": "absolute",
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}

LABELS = st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True).map(lambda names: dict(enumerate(names)))
JSON_VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(), max_size=3)


@st.composite
def keywords(draw):
    """Keywords of a valid config."""
    probability = st.floats(0, 1, exclude_max=True)
    heads = draw(st.integers(1, 8))
    layers = draw(st.integers(1, 24))
    vocabulary = draw(st.integers(1, 100_000))
    must = {
        "vocab_size": vocabulary,
        "num_attention_heads": heads,
        "hidden_size": heads * draw(st.integers(1, 64)),
        "num_hidden_layers": layers,
        "num_hidden_groups": draw(st.integers(1, layers)),
        "pad_token_id": draw(st.none() | st.integers(0, vocabulary - 1)),
    }
    may = {
        "embedding_size": st.integers(1, 512),
        "intermediate_size": st.integers(1, 4096),
        "inner_group_num": st.integers(1, 4),
        "hidden_act": st.sampled_from(ACTIVATIONS),
        "hidden_dropout_prob": probability,
        "attention_probs_dropout_prob": probability,
        "classifier_dropout_prob": st.none() | probability,
        "max_position_embeddings": st.integers(1, 4096),
        "type_vocab_size": st.integers(1, 4),
        "initializer_range": st.floats(0, 1),
        "layer_norm_eps": st.floats(0, 1, exclude_min=True),
        "bos_token_id": st.none() | st.integers(0, 100),
        "eos_token_id": st.none() | st.integers(0, 100),
        "id2label": LABELS,
        "problem_type": st.sampled_from([None, *PROBLEM_TYPES]),
        "tie_word_embeddings": st.booleans(),
        "output_attentions": st.booleans(),
        "output_hidden_states": st.booleans(),
        "return_dict": st.booleans(),
        "dtype": st.sampled_from([None, "float32", "bfloat16", "torch.float16"]),
        "max_length": st.integers(0, 100),
        "architectures": st.none() | st.just(["AlbertModel"]),
        "task_specific_params": st.none() | st.dictionaries(st.text(), st.integers(), max_size=2),
    }
    return must | draw(st.fixed_dictionaries({}, optional=may))


def test_the_published_keys_come_in_the_published_order_with_the_published_defaults():
    parameters = list(inspect.signature(AlbertConfig).parameters.values())[:-1]
    assert {p.name: p.default for p in parameters} == PUBLISHED
    assert [p.name for p in parameters] == list(PUBLISHED)


def test_keys_can_be_given_by_position():
    config = AlbertConfig(100, 8, 24, 4, 2, 3, 40, 2, "relu")
    assert [getattr(config, key) for key in list(PUBLISHED)[:9]] == [100, 8, 24, 4, 2, 3, 40, 2, "relu"]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("size", SIZES)
def test_the_published_sizes_have_the_published_parameter_counts(size, version):
    config = getattr(AlbertConfig, size)(version)
    assert config.num_parameters() == config.num_parameters("AlbertModel") == BACKBONE[size]
    assert config.num_parameters("ForPreTraining") == PRETRAINING[size]


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ("base", (12, 768, 12, 3072)),
        ("large", (24, 1024, 16, 4096)),
        ("xlarge", (24, 2048, 16, 8192)),
        ("xxlarge", (12, 4096, 64, 16384)),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_the_published_releases(size, shape, version):
    config = getattr(AlbertConfig, size)(version)
    read = (config.num_hidden_layers, config.hidden_size, config.num_attention_heads, config.intermediate_size)
    assert read == shape
    dropout = 0.1 if version == 1 and size != "xxlarge" else 0
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (dropout, dropout)
    assert config.hidden_act == ("gelu" if version == 1 else "gelu_new")
    assert (config.embedding_size, config.vocab_size, config.max_position_embeddings) == (128, 30000, 512)


def test_a_named_size_takes_changes():
    config = AlbertConfig.base(num_labels=3, vocab_size=100)
    assert (config.num_labels, config.vocab_size, config.hidden_size) == (3, 100, 768)


@pytest.mark.parametrize("version", [0, 3, "v2"])
def test_an_unknown_version_is_refused(version):
    with pytest.raises(ConfigError, match="must be 1 or 2") as caught:
        AlbertConfig.base(version)
    assert repr(version) in str(caught.value)


@pytest.mark.torch
@pytest.mark.parametrize("model", weight_table.PARTS)
@pytest.mark.parametrize(
    "changes", [{}, {"num_hidden_groups": 2, "inner_group_num": 3}, {"tie_word_embeddings": False}]
)
def test_the_counted_parameters_are_those_of_the_model(model, changes):
    pytest.importorskip("torch")
    from albertkit.torch import models

    keys = {"vocab_size": 31, "embedding_size": 6, "hidden_size": 12, "num_attention_heads": 3, "intermediate_size": 20}
    config = AlbertConfig(**keys, max_position_embeddings=9, num_hidden_layers=4, num_labels=5, **changes)
    built = getattr(models, f"Albert{model}")(config)
    assert config.num_parameters(model) == sum(parameter.numel() for parameter in built.parameters())


def test_parameters_of_an_unknown_model_are_refused():
    with pytest.raises(ConfigError, match=r"Received: 'ForMaskedLn'. Did you mean `ForMaskedLM`?"):
        AlbertConfig.base().num_parameters("AlbertForMaskedLn")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_size": 0}, "`hidden_size` must be a whole number from 1 to [0-9,]+. Received: 0"),
        ({"vocab_size": -3}, "`vocab_size` must be a whole number from 1 to [0-9,]+. Received: -3"),
        ({"vocab_size": 3.0}, "`vocab_size` must be a whole number from 1 to [0-9,]+. Received: 3.0"),
        ({"num_hidden_layers": True}, "`num_hidden_layers` must be a whole number from 1 to [0-9,]+. Received: True"),
        ({"inner_group_num": "2"}, "`inner_group_num` must be a whole number from 1 to [0-9,]+. Received: '2'"),
        ({"hidden_size": 100, "num_attention_heads": 12}, "divisible by `num_attention_heads`. Received: 100 and 12"),
        ({"hidden_dropout_prob": 1}, "`hidden_dropout_prob` must be a probability.*Received: 1"),
        ({"hidden_dropout_prob": None}, "`hidden_dropout_prob` must be a probability.*Received: None"),
        ({"attention_probs_dropout_prob": -0.1}, "`attention_probs_dropout_prob` must be.*Received: -0.1"),
        ({"classifier_dropout_prob": math.nan}, "`classifier_dropout_prob` must be a probability.*Received: nan"),
        ({"hidden_act": "gleu"}, "`hidden_act` must be one of .*Received: 'gleu'. Did you mean `gelu`?"),
        ({"hidden_act": 3}, "`hidden_act` must be one of .*or a function. Received: 3"),
        ({"layer_norm_eps": 0}, "`layer_norm_eps` must be a number above 0 and at most 1. Received: 0"),
        ({"layer_norm_eps": "1e-12"}, "`layer_norm_eps` must be a number above 0 and at most 1. Received: '1e-12'"),
        ({"layer_norm_eps": math.nan}, "`layer_norm_eps` must be a number above 0 and at most 1. Received: nan"),
        ({"initializer_range": -1}, "`initializer_range` must be a number of at least 0 and at most 100. Received: -1"),
        (
            {"initializer_range": None},
            "`initializer_range` must be a number of at least 0 and at most 100. Received: None",
        ),
        ({"layer_norm_eps": 1e300}, "`layer_norm_eps` must be .* at most 1. Received: 1e\\+300"),
        ({"initializer_range": 1e300}, "`initializer_range` must be .* at most 100. Received: 1e\\+300"),
        ({"hidden_size": 10**5000}, "`hidden_size` must be .*Received: int with too many digits"),
        ({"id2label": {"0": "no", "00": "maybe", "1": "yes"}}, "`id2label` must give each class a number of its own"),
        ({"label2id": {"no": 0, "yes": 0}}, "`label2id` must give each class a number of its own"),
        ({"num_labels": 2.0, "id2label": {0: "no", 1: "yes"}}, "`num_labels` must be a whole number.*Received: 2.0"),
        ({"num_labels": "x", "id2label": {0: "no", 1: "yes"}}, "`num_labels` must be a whole number.*Received: 'x'"),
        ({"pad_token_id": 30000}, "inside the vocabulary.*30000 with `vocab_size` 30000.*None if there is no padding"),
        ({"pad_token_id": "0"}, "`pad_token_id` must be a whole number.*or null. Received: '0'"),
        ({"position_embedding_type": "relative_key"}, "must be \"absolute\".*Received: 'relative_key'"),
        ({"problem_type": "ranking"}, "`problem_type` must be one of regression.*Received: 'ranking'"),
        ({"pruned_heads": {0: [1]}}, "pruning is not supported.*{0: \\[1\\]}.*`head_mask`"),
        (
            {"num_hidden_layers": 10**9},
            "`num_hidden_layers` must be a whole number from 1 to 4,096. Received: 1000",
        ),
        ({"inner_group_num": 10**6}, "`inner_group_num` must be a whole number from 1 to 4,096"),
        (
            {"num_hidden_layers": 100, "inner_group_num": 100},
            "must be at most 4,096. Received: 100 and 100",
        ),
        ({"max_position_embeddings": 10**9}, "`max_position_embeddings` must be a whole number from 1 to"),
        ({"num_labels": 10**9}, "`num_labels` must be a whole number from 1 to 524,288"),
        ({"tie_word_embeddings": "false"}, "`tie_word_embeddings` must be true or false. Received: 'false'. In JSON"),
        ({"return_dict": 1}, "`return_dict` must be true or false. Received: 1"),
        ({"architectures": "AlbertModel"}, "`architectures` must be a list of texts"),
        ({"dtype": 32}, "`dtype` must be text"),
        ({"hidden_act": ["gelu"]}, "`hidden_act` must be one of"),
        ({"id2label": {0: ["no"], 1: "yes"}}, "`id2label` must map"),
        ({"id2label": {"0": "no", "1.5": "yes"}}, "`id2label` must map"),
        ({"id2label": {"9" * 5000: "no"}}, "`id2label` must map"),
        ({"label2id": {"no": "0"}}, "`label2id` must map"),
        ({"label2id": ["no"]}, "`label2id` must map"),
        ({"problem_type": ["regression"]}, "`problem_type` must be one of"),
        ({"pruned_heads": [3]}, "pruning is not supported"),
        ({"num_labels": 0}, "`num_labels` must be a whole number from 1 to [0-9,]+. Received: 0"),
        ({"num_labels": "3"}, "`num_labels` must be a whole number from 1 to [0-9,]+. Received: '3'"),
        ({"id2label": ["no", "yes"]}, "`id2label` must map.*Received: \\['no', 'yes'\\]"),
        ({"id2label": {"no": 0}}, "`id2label` must map.*Received: {'no': 0}"),
        ({"hiden_size": 8}, "AlbertConfig has no key `hiden_size`. Did you mean `hidden_size`?.*config.json"),
        ({"num_layers": 8}, "AlbertConfig has no key `num_layers`. Did you mean `num_hidden_layers`?"),
    ],
)
def test_what_no_model_can_be_built_from_is_refused(changes, words):
    with pytest.raises(ConfigError, match=words) as caught:
        AlbertConfig(**changes)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(ConfigError, match=words):
        AlbertConfig().update(changes)
    with pytest.raises(ConfigError, match=words):
        AlbertConfig().changed(**changes)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_accepted(name):
    assert AlbertConfig(hidden_act=name).hidden_act == name


@settings(max_examples=50)
@given(keywords())
def test_keywords_become_attributes(given_keywords):
    config = AlbertConfig(**given_keywords)
    for key, value in given_keywords.items():
        assert getattr(config, key) == (value.removeprefix("torch.") if key == "dtype" and value else value)
    defaults = AlbertConfig()
    for key in PUBLISHED.keys() - given_keywords.keys():
        assert getattr(config, key) == getattr(defaults, key)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("config")


@settings(max_examples=40)
@given(keywords())
def test_a_config_comes_back_from_its_file(place, given_keywords):
    config = AlbertConfig(**given_keywords)
    config.save_pretrained(place)
    assert AlbertConfig.from_pretrained(place) == config
    assert AlbertConfig.from_json_file(place / CONFIG_FILE) == config
    for use_diff in (True, False):
        config.to_json_file(place / "other.json", use_diff)
        assert AlbertConfig.from_json_file(place / "other.json") == config
    assert AlbertConfig.from_dict(config.to_dict()) == config


@settings(max_examples=50)
@given(keywords())
def test_the_text_is_sorted_json_that_always_holds_the_published_keys(given_keywords):
    text = AlbertConfig(**given_keywords).to_json_string()
    found = json.loads(text)
    assert text == json.dumps(found, indent=2, sort_keys=True) + "\n"
    assert set(PUBLISHED) | {"model_type"} <= set(found)
    assert found["model_type"] == "albert"
    assert not {"num_labels", "torch_dtype", "name_or_path", "_attn_implementation"} & set(found)


def test_common_keys_are_written_only_where_they_differ():
    assert set(AlbertConfig().to_diff_dict()) == {*PUBLISHED, "model_type"}
    changed = AlbertConfig(max_length=5, return_dict=False, num_labels=3).to_diff_dict()
    assert set(changed) == {*PUBLISHED, "model_type", "max_length", "return_dict", "id2label", "label2id"}


@settings(max_examples=50)
@given(keywords(), st.dictionaries(st.text(st.characters(categories=["L"]), min_size=1).map("x_".__add__), JSON_VALUES))
def test_unknown_keys_of_a_file_are_kept_and_written_back(given_keywords, unknown):
    stored = AlbertConfig(**given_keywords).to_diff_dict() | unknown
    config = AlbertConfig.from_dict(json.loads(json.dumps(stored)))
    assert json.loads(config.to_json_string()) == json.loads(json.dumps(stored))
    for key, value in unknown.items():
        assert getattr(config, key) == value


@pytest.mark.parametrize(
    "key", [name for name in dir(AlbertConfig) if name not in ("model_type", "num_labels", "torch_dtype")]
)
def test_a_key_of_a_file_never_takes_the_place_of_a_method(tmp_path, key):
    AlbertConfig.base().save_pretrained(tmp_path)
    stated = json.loads((tmp_path / CONFIG_FILE).read_text())
    (tmp_path / CONFIG_FILE).write_text(json.dumps(stated | {key: 5}))
    with pytest.raises(ConfigError, match=rf"named like a method.*Received: '{key}'.*It stands in .*config\.json"):
        AlbertConfig.from_pretrained(tmp_path)


def test_a_key_that_python_looks_up_is_refused():
    with pytest.raises(ConfigError, match="named like a method"):
        AlbertConfig.from_dict({"__deepcopy__": 5})


def test_a_file_does_not_choose_the_kind_of_attention():
    config = AlbertConfig.from_dict({"_attn_implementation": 5}, attn_implementation="eager")
    assert config._attn_implementation == "eager"


def test_an_attribute_of_ones_own_is_written_and_read(tmp_path):
    config = AlbertConfig()
    config.my_own = [1, 2]
    config.save_pretrained(tmp_path)
    assert AlbertConfig.from_pretrained(tmp_path).my_own == [1, 2]


def test_the_contents_handed_in_are_not_changed():
    stored = {"hidden_size": 64, "num_attention_heads": 2, "id2label": {"0": "a", "1": "b"}, "x_own": {"a": [1]}}
    before = copy.deepcopy(stored)
    config = AlbertConfig.from_dict(stored, num_labels=3)
    config.x_own["a"].append(2)
    assert stored == before


def test_configs_share_nothing():
    first, second = AlbertConfig(), AlbertConfig()
    first.pruned_heads[0] = [1]
    first.id2label[0] = "changed"
    assert second == AlbertConfig()
    copied = first.to_dict()
    copied["id2label"][0] = "again"
    assert first.id2label[0] == "changed"


def test_a_published_file_is_read():
    published = {
        "architectures": ["AlbertForMaskedLM"],
        "attention_probs_dropout_prob": 0,
        "bos_token_id": 2,
        "classifier_dropout_prob": 0.1,
        "down_scale_factor": 1,
        "embedding_size": 128,
        "eos_token_id": 3,
        "gap_size": 0,
        "hidden_act": "gelu_new",
        "hidden_dropout_prob": 0,
        "hidden_size": 768,
        "initializer_range": 0.02,
        "inner_group_num": 1,
        "intermediate_size": 3072,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 512,
        "model_type": "albert",
        "net_structure_type": 0,
        "num_attention_heads": 12,
        "num_hidden_groups": 1,
        "num_hidden_layers": 12,
        "num_memory_blocks": 0,
        "pad_token_id": 0,
        "type_vocab_size": 2,
        "vocab_size": 30000,
    }
    config = AlbertConfig.from_dict(published)
    assert config.num_parameters() == BACKBONE["base"]
    assert json.loads(config.to_json_string()) == published | {"position_embedding_type": "absolute"}


@settings(max_examples=50)
@given(LABELS)
def test_names_decide_the_number_of_classes(id2label):
    config = AlbertConfig(id2label=id2label)
    assert config.num_labels == len(id2label)
    assert config.label2id == {label: index for index, label in id2label.items()}
    assert AlbertConfig(label2id=config.label2id).id2label == id2label
    assert AlbertConfig.from_dict({"id2label": {str(index): label for index, label in id2label.items()}}) == config


def test_setting_the_number_of_classes_names_them_anew():
    config = AlbertConfig(id2label={0: "no", 1: "yes"})
    config.num_labels = 3
    assert config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    assert config.label2id == {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}
    assert AlbertConfig(num_labels=3) == config


def test_names_win_over_a_number_that_contradicts_them(caplog):
    with caplog.at_level(logging.WARNING):
        config = AlbertConfig(num_labels=5, id2label={0: "no", 1: "yes"})
    assert config.num_labels == 2
    assert "`num_labels` is 5 but `id2label` names 2" in caplog.text


def test_a_number_that_agrees_keeps_the_names(caplog):
    stored = {"id2label": {"0": "no", "1": "yes"}, "label2id": {"no": 0, "yes": 1}}
    assert AlbertConfig.from_dict(stored, num_labels=2).id2label == {0: "no", 1: "yes"}
    assert AlbertConfig(id2label={0: "no", 1: "yes"}).changed(num_labels=2).id2label == {0: "no", 1: "yes"}
    assert caplog.text == ""


def test_another_number_drops_the_stored_names(caplog):
    stored = {"id2label": {"0": "no", "1": "yes"}, "label2id": {"no": 0, "yes": 1}}
    config = AlbertConfig.from_dict(stored, num_labels=4)
    assert list(config.id2label.values()) == ["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"]
    assert caplog.text == ""


@pytest.mark.parametrize("stored", [{"id2label": None}, {"id2label": None, "label2id": None}, {"label2id": None}])
def test_absent_names_are_the_default_names(stored):
    assert AlbertConfig.from_dict(stored) == AlbertConfig()
    assert AlbertConfig.from_dict(stored, num_labels=3).num_labels == 3
    assert AlbertConfig(**stored) == AlbertConfig()


@pytest.mark.parametrize("value", ["float16", "torch.float16"])
def test_torch_dtype_is_the_old_name_of_dtype(value):
    for config in (AlbertConfig(torch_dtype=value), AlbertConfig.from_dict({"torch_dtype": value})):
        assert config.dtype == config.torch_dtype == "float16"
        assert json.loads(config.to_json_string())["dtype"] == "float16"
    config.torch_dtype = "torch.bfloat16"
    assert config.dtype == "bfloat16"
    config.torch_dtype = None
    assert config.dtype is None


def test_the_new_name_of_dtype_wins():
    assert AlbertConfig.from_dict({"torch_dtype": "float16", "dtype": "bfloat16"}).dtype == "bfloat16"


@pytest.mark.torch
def test_a_torch_precision_is_kept_by_name():
    torch = pytest.importorskip("torch")
    config = AlbertConfig(dtype=torch.bfloat16)
    assert config.dtype == "bfloat16"
    assert json.loads(config.to_json_string())["dtype"] == "bfloat16"


def test_the_kind_of_attention_is_never_written(tmp_path):
    config = AlbertConfig(attn_implementation="eager")
    assert config._attn_implementation == "eager"
    assert "attn" not in config.to_json_string()
    assert config.changed(num_labels=3)._attn_implementation == "eager"
    assert config.changed(attn_implementation="sdpa")._attn_implementation == "sdpa"
    assert config._attn_implementation == "eager"
    assert AlbertConfig.from_dict({}, attn_implementation="eager")._attn_implementation == "eager"


def test_a_changed_config_is_another_one():
    config = AlbertConfig(id2label={0: "a", 1: "b", 2: "c"})
    other = config.changed(vocab_size=50, hidden_act="relu")
    assert (other.vocab_size, other.hidden_act, other.id2label) == (50, "relu", config.id2label)
    assert (config.vocab_size, config.hidden_act) == (30000, "gelu_new")
    assert other != config
    assert other.changed(vocab_size=30000, hidden_act="gelu_new") == config


def test_overrides_are_typed_keys():
    config, unused = AlbertConfig.from_dict(
        {"num_hidden_layers": 3},
        return_unused_kwargs=True,
        num_labels=42,
        ignore_mismatched_sizes=True,
        name_or_path="x",
    )
    assert (config.num_hidden_layers, config.num_labels, config.name_or_path) == (3, 42, "x")
    assert unused == {"ignore_mismatched_sizes": True}
    with pytest.raises(ConfigError, match=r"no key `hidden_sise`. Did you mean `hidden_size`?"):
        AlbertConfig.from_dict({}, hidden_sise=4)


@pytest.mark.parametrize("names", [5, True, ["no", "yes"], "no"])
def test_names_that_are_none_are_refused_beside_an_override_too(names):
    with pytest.raises(ConfigError, match="`id2label` must map"):
        AlbertConfig.from_dict({"id2label": names}, num_labels=3)


def test_an_override_is_checked_with_the_file():
    stored = {"hidden_size": 64, "num_attention_heads": 4}
    assert AlbertConfig.from_dict(stored, num_attention_heads=8).num_attention_heads == 8
    with pytest.raises(ConfigError, match="Received: 64 and 5"):
        AlbertConfig.from_dict(stored, num_attention_heads=5)


def test_another_model_type_is_announced(caplog):
    config = AlbertConfig.from_dict({"model_type": "bert", "hidden_size": 768, "num_attention_heads": 12})
    assert "This config is one of model_type bert, and is read as one of albert" in caplog.text
    assert config.model_type == config.to_dict()["model_type"] == "albert"


def test_a_folder_without_a_config_is_not_found(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(CheckpointNotFound) as caught:
            AlbertConfig.from_pretrained(folder)
        assert isinstance(caught.value, OSError)
        assert str(folder) in str(caught.value)


def test_a_damaged_file_is_refused(tmp_path):
    text = AlbertConfig.base().to_json_string()
    (tmp_path / CONFIG_FILE).write_text(text[: len(text) // 2])
    with pytest.raises(CheckpointError, match="must be JSON text"):
        AlbertConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize("content", [{"hidden_size": None}, {"vocab_size": "30000"}, {"num_hidden_layers": [12]}])
def test_a_value_of_another_type_in_a_file_is_refused(content):
    with pytest.raises(AlbertkitError, match=f"`{next(iter(content))}` must be a whole number"):
        AlbertConfig.from_dict(content)


def test_a_subfolder_holds_another_config(tmp_path):
    AlbertConfig(vocab_size=5).save_pretrained(tmp_path / "inner")
    AlbertConfig(vocab_size=6).save_pretrained(tmp_path)
    assert AlbertConfig.from_pretrained(tmp_path, subfolder="inner").vocab_size == 5
    assert AlbertConfig.from_pretrained(str(tmp_path), vocab_size=7).vocab_size == 7


def test_a_function_may_be_the_activation_of_a_config_that_is_not_written():
    config = AlbertConfig(hidden_act=abs)
    assert copy.deepcopy(config) == config
    assert "abs" in repr(config)
    for use_diff in (True, False):
        with pytest.raises(ConfigError, match=r"`hidden_act` must be a name to be written.*Set it to one of gelu, "):
            config.to_json_string(use_diff)


def test_configs_are_equal_by_content_and_have_no_hash():
    assert AlbertConfig() == AlbertConfig()
    assert AlbertConfig() != AlbertConfig(vocab_size=5)
    assert AlbertConfig() != AlbertConfig().to_dict()
    with pytest.raises(TypeError):
        hash(AlbertConfig())


def test_the_text_form_names_the_class_and_the_keys():
    text = repr(AlbertConfig(vocab_size=4321))
    assert text.startswith("AlbertConfig {")
    assert json.loads(text.removeprefix("AlbertConfig "))["vocab_size"] == 4321


@pytest.mark.parametrize("return_dict", [True, False])
def test_named_outputs_follow_return_dict(return_dict):
    assert AlbertConfig(return_dict=return_dict).use_return_dict is return_dict


def test_what_generic_tools_ask_of_a_config():
    config = AlbertConfig()
    assert config.get_text_config(decoder=True) is config
    assert (config.sub_configs, config.attribute_map, config.has_no_defaults_at_init) == ({}, {}, False)
    assert config.is_encoder_decoder is False
    assert config.tie_word_embeddings is True
    config.__dict__["initializer_range"] = 0.0
    assert config.to_dict()["initializer_range"] == 0.0


@pytest.mark.parametrize("labels", [{1: "a", 2: "b"}, {0: "a", 2: "b"}, {}])
def test_classes_are_numbered_from_zero_without_a_gap(labels):
    for build in (
        lambda: AlbertConfig(id2label=labels),
        lambda: AlbertConfig.from_dict({"id2label": {str(index): name for index, name in labels.items()}}),
    ):
        with pytest.raises(ConfigError, match="`id2label` must number the classes from 0 without a gap"):
            build()
    with pytest.raises(ConfigError, match="without a gap"):
        AlbertConfig(label2id={"a": 1, "b": 2})


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": 7},
        {"id2label": {5: "a"}},
        {"num_labels": 3, "problem_type": "poetry"},
        {"pruned_heads": {0: [1]}, "vocab_size": 5},
        {"pruned_heads": {"x": [1]}},
    ],
)
def test_an_update_that_fails_changes_nothing(changes):
    config = AlbertConfig(num_labels=2)
    before = config.to_dict()
    with pytest.raises(ValueError):
        config.update(changes)
    assert config.to_dict() == before


def test_a_file_must_state_the_sizes_of_its_model(tmp_path):
    AlbertConfig.base().save_pretrained(tmp_path)
    stated = json.loads((tmp_path / CONFIG_FILE).read_text())
    for key in ("vocab_size", "embedding_size", "hidden_size", "num_hidden_layers", "num_attention_heads"):
        rest = {name: value for name, value in stated.items() if name != key}
        (tmp_path / CONFIG_FILE).write_text(json.dumps(rest))
        for read in (AlbertConfig.from_pretrained, lambda folder: AlbertConfig.from_json_file(folder / CONFIG_FILE)):
            with pytest.raises(ConfigError, match=rf"must state the sizes.*config\.json lacks {key}\."):
                read(tmp_path)
        assert getattr(AlbertConfig.from_pretrained(tmp_path, **{key: stated[key]}), key) == stated[key]


def test_an_error_names_the_file_that_it_stands_in(tmp_path):
    AlbertConfig.base().save_pretrained(tmp_path)
    stated = json.loads((tmp_path / CONFIG_FILE).read_text())
    (tmp_path / CONFIG_FILE).write_text(json.dumps(stated | {"hidden_act": "gleu"}))
    with pytest.raises(ConfigError, match=r"Received: 'gleu'.*It stands in .*config\.json"):
        AlbertConfig.from_pretrained(tmp_path)


def test_every_key_of_a_file_has_a_rule():
    assert set(RULES) == set(PUBLISHED) | set(COMMON)


def test_names_that_contradict_numbers_are_told(caplog):
    config = AlbertConfig(id2label={0: "no", 1: "yes"}, label2id={"no": 1, "yes": 0})
    assert config.label2id == {"no": 0, "yes": 1}
    assert "contradict each other: using `id2label`" in caplog.text


def test_a_key_that_is_near_no_known_one_is_kept_written_and_told_once(tmp_path, caplog):
    plbert = {"vocab_size": 178, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 2048}
    config = AlbertConfig(**plbert, max_position_embeddings=512, num_hidden_layers=12, dropout=0.1)
    assert (config.dropout, config.hidden_dropout_prob) == (0.1, 0)
    AlbertConfig(dropout=0.2).update({"dropout": 0.3})
    assert [line for line in caplog.messages if "`dropout`" in line] == [
        "AlbertConfig has no key `dropout`: it is kept and saved, but nothing here reads it."
    ]
    config.save_pretrained(tmp_path)
    assert AlbertConfig.from_pretrained(tmp_path).dropout == 0.1
    assert config.changed(dropout=0.5).dropout == 0.5


def test_an_argument_of_loading_with_a_typing_error_is_no_key_that_is_kept():
    with pytest.raises(ConfigError, match="has no key `ignore_missmatched`"):
        AlbertConfig().changed(ignore_missmatched=True)


def test_of_more_groups_than_layers_some_never_run():
    config = AlbertConfig(num_hidden_layers=4, num_hidden_groups=12)
    assert config.group_of_layer == [0, 3, 6, 9]
