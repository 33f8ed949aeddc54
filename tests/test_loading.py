"""The keywords of loaders, for configs and tokenizers; those of models are tested with each framework."""

import pytest

from albertkit import embedded, hub, loading
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointNotFound, ConfigError, InputError
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from frameworks.common import CHANGES_NOTHING

NAME = "albertkit/small-en"


@pytest.mark.parametrize("kind", [AlbertConfig, AlbertTokenizer, AlbertTokenizerFast])
def test_what_changes_nothing_is_taken(kind):
    whole = {**CHANGES_NOTHING, "device_map": "auto", "load_in_8bit": True, "quantization_config": {"bits": 4}}
    plain = kind.from_pretrained(NAME)
    found = kind.from_pretrained(NAME, **whole)
    if kind is AlbertConfig:
        assert found == plain
    else:
        assert found.init_kwargs == plain.init_kwargs, "nothing of it is written into tokenizer_config.json"
        assert found("a text") == plain("a text")


@pytest.mark.parametrize("kind", [AlbertConfig, AlbertTokenizer, AlbertTokenizerFast])
def test_a_proxy_is_set_in_the_environment(kind):
    with pytest.raises(InputError, match=r"takes no `proxies`.*'https': 'there:1'.*HTTPS_PROXY"):
        kind.from_pretrained(NAME, proxies={"https": "there:1"})


def test_the_old_name_of_the_token_reaches_the_hub(monkeypatch):
    asked = []

    def fetch(name, patterns, **options):
        asked.append(options.get("token"))
        return embedded.folder(NAME)

    monkeypatch.setattr(hub, "fetch", fetch)
    for kind in (AlbertConfig, AlbertTokenizer, AlbertTokenizerFast):
        kind.from_pretrained("org/name", use_auth_token="old")
        kind.from_pretrained("org/name", use_auth_token="old", token="new")
    assert asked == ["old", "new"] * 3


def test_keywords_are_taken_out_by_what_they_are():
    keywords = {"revision": "v2", "trust_remote_code": False, "adapter_kwargs": None, "num_labels": 3}
    assert loading.options(keywords) == {"revision": "v2"}
    assert keywords == {"num_labels": 3}
    with_token = {"use_auth_token": "t"}
    assert loading.options(with_token) == {"token": "t"}
    assert with_token == {}


@pytest.mark.parametrize("name", loading.REFUSED)
def test_what_would_change_the_weights_is_refused_where_they_are_read_and_says_what_to_do(name):
    with pytest.raises(InputError, match=rf"`from_pretrained` takes no `{name}`. Received: 'on'\. \w+ .*\.$"):
        loading.options({name: "on"}, reads_weights=True)
    for off in (None, False, {}):
        keywords = {name: off}
        assert loading.options(keywords, reads_weights=True) == {}
        assert keywords == {}
    assert loading.options({name: "on"}) == {}


@pytest.mark.parametrize(
    ("given", "device"),
    [
        (None, None),
        *((strategy, "auto") for strategy in ("auto", "balanced", "balanced_low_0", "sequential")),
        *(("cpu", "cpu"), ("cuda:1", "cuda:1"), (0, 0), (3, 3)),
        *(({"": 0}, 0), ({"": "cpu"}, "cpu"), ({"albert": "cuda", "classifier": "cuda"}, "cuda")),
    ],
)
def test_a_device_map_of_one_device_is_that_device(given, device):
    assert loading.single_device(given) == device


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"albert": 0, "classifier": "cpu"}, r"Received: 0, cpu\."),
        ({}, r"Received: none\."),
        ({"": "disk"}, "Received: 'disk'"),
        *(("meta", "Received: 'meta'"), (-1, "Received: -1"), (True, "Received: True"), ("", "Received: ''")),
    ],
)
def test_a_device_map_of_anything_else_is_refused(given, words):
    with pytest.raises(InputError, match=rf"`device_map` must name one device.*{words}"):
        loading.single_device(given)


def test_a_keyword_that_is_none_is_refused_as_one_of_from_pretrained():
    with pytest.raises(
        ConfigError, match=r"`Own.from_pretrained` takes.*`hiden_size`, which.*Did you mean `hidden_size`"
    ):
        loading.require_keys("Own", {"hiden_size": 3}, {"hidden_size"})
    loading.require_keys("Own", {"hidden_size": 3}, {"hidden_size"})
    with pytest.raises(ConfigError, match="Did you mean `ignore_mismatched_sizes`"):
        loading.require_keys("Own", {"ignore_mismatched_size": True}, {"hidden_size"})


def test_a_folder_in_place_of_a_config_file_is_sent_to_what_reads_folders(tmp_path):
    with pytest.raises(CheckpointNotFound, match=r"which is a folder\. AlbertConfig\.from_pretrained\('.*'\) reads"):
        AlbertConfig.from_json_file(tmp_path)
