import json

import pytest
from tokenizers import AddedToken

from albertkit import storage
from albertkit.errors import CheckpointError
from albertkit.tokenization import files, special_tokens


def put(folder, **contents):
    names = {"config": files.CONFIG, "special": files.SPECIAL, "added": files.ADDED}
    for name, content in contents.items():
        (folder / names[name]).write_text(json.dumps(content), encoding="utf-8")


def shown(token):
    return special_tokens.fields(token)


FIELDS = {"content": "x", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": False}


def test_an_empty_folder_states_nothing(tmp_path):
    assert files.read(storage.Folder(tmp_path)) == {"added_tokens_decoder": {}}


def test_tokens_are_read_with_their_flags(tmp_path):
    mask = {**FIELDS, "content": "[MASK]", "lstrip": True, "special": True}
    put(tmp_path, config={"added_tokens_decoder": {"4": mask}, "mask_token": "[MASK]", "do_lower_case": False})
    stated = files.read(storage.Folder(tmp_path))
    assert stated["do_lower_case"] is False
    assert stated["mask_token"] == "[MASK]"
    assert {index: shown(token) for index, token in stated["added_tokens_decoder"].items()} == {4: mask}


def test_roles_beside_the_config_count_only_in_old_folders(tmp_path):
    old = {"mask_token": {**FIELDS, "content": "<old>", "lstrip": True, "__type": "AddedToken"}, "cls_token": "<cls>"}
    put(tmp_path, config={"mask_token": "<new>"}, special=old)
    stated = files.read(storage.Folder(tmp_path))
    assert shown(stated["mask_token"]) == {**FIELDS, "content": "<old>", "lstrip": True, "special": True}
    assert stated["cls_token"] == "<cls>"
    put(tmp_path, config={"mask_token": "<new>", "added_tokens_decoder": {"4": {**FIELDS, "content": "<new>"}}})
    assert files.read(storage.Folder(tmp_path))["mask_token"] == "<new>"


def test_added_tokens_of_old_folders_are_special_where_they_have_a_role(tmp_path):
    put(
        tmp_path,
        config={"padding_side": "right", "mask_token": "<mask>"},
        special={"cls_token": "<cls>", "additional_special_tokens": ["<e>"]},
        added={"right": 30000, "<mask>": 30001, "<cls>": 30002, "<e>": 30003},
    )
    stated = files.read(storage.Folder(tmp_path))
    kinds = {i: (str(t), t.special, t.normalized) for i, t in stated["added_tokens_decoder"].items()}
    assert kinds == {
        30000: ("right", False, True),
        30001: ("<mask>", True, False),
        30002: ("<cls>", True, False),
        30003: ("<e>", True, False),
    }
    assert [shown(token)["content"] for token in stated["additional_special_tokens"]] == ["<e>"]


def test_settings_that_are_no_tokens_are_left_alone(tmp_path):
    put(tmp_path, config={"sp_model_kwargs": {"alpha": 0.1}, "model_max_length": 512, "mine": {"a": 1}})
    stated = files.read(storage.Folder(tmp_path))
    assert (stated["sp_model_kwargs"], stated["model_max_length"], stated["mine"]) == ({"alpha": 0.1}, 512, {"a": 1})


@pytest.mark.parametrize(
    "key", ["vocab_file", "tokenizer_file", "special_tokens_map_file", "name_or_path", "init_inputs"]
)
def test_paths_of_the_writer_are_dropped(tmp_path, key):
    put(tmp_path, config={key: "/somewhere/else"})
    assert key not in files.read(storage.Folder(tmp_path))


def test_a_file_that_is_cut_short_is_named(tmp_path):
    (tmp_path / files.CONFIG).write_text('{"do_lower_case": tr')
    with pytest.raises(CheckpointError, match=r"tokenizer_config.json must be JSON text"):
        files.read(storage.Folder(tmp_path))


def test_what_is_written_is_read_again(tmp_path):
    token = AddedToken("<e>", lstrip=True, rstrip=True, single_word=True, normalized=False, special=True)
    files.write(
        tmp_path,
        "",
        {"do_lower_case": True, "added_tokens_decoder": {"7": special_tokens.fields(token)}},
        {"mask_token": special_tokens.fields(token)},
        {"<e>": 7},
    )
    stated = files.read(storage.Folder(tmp_path))
    assert shown(stated["added_tokens_decoder"][7]) == special_tokens.fields(token)
    assert stated["do_lower_case"] is True
    (tmp_path / files.CONFIG).unlink()
    old = files.read(storage.Folder(tmp_path))
    assert shown(old["mask_token"])["content"] == "<e>"
    assert list(old["added_tokens_decoder"]) == [7]


def test_names_may_have_a_prefix_and_keys_are_sorted(tmp_path):
    files.write(tmp_path, "my-", {"b": 1, "a": 2}, {"unk_token": "u"}, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "my-special_tokens_map.json",
        "my-tokenizer_config.json",
    ]
    assert list(json.loads((tmp_path / "my-tokenizer_config.json").read_text())) == ["a", "b"]


def config(**keys):
    return {"config": {"do_lower_case": True} | keys}


TOKEN = {"content": "<e>", "lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": True}
WRONG = [
    *(config(do_lower_case=value) for value in ("no", 1, None, [], {})),
    *(config(keep_accents=value) for value in ("on", 0)),
    *(config(split_special_tokens=value) for value in ("no", 2.5)),
    config(strip_accents="none"),
    *(config(model_max_length=value) for value in (2.5, 0, -1, True, "512", [], {})),
    *(config(padding_side=value) for value in ("middle", None, 1)),
    *(config(truncation_side=value) for value in ("", ["left"])),
    *(config(tokenizer_class=value) for value in (3, ["AlbertTokenizer"])),
    *(config(sp_model_kwargs=value) for value in ("x", [])),
    *(config(sp_model_kwargs={"enable_sampling": value}) for value in ("yes", 1, [])),
    *(config(sp_model_kwargs={"nbest_size": value}) for value in ("x", 513, 10**30, 2.0, True, [])),
    *(config(sp_model_kwargs={"alpha": value}) for value in ("y", [1], True, -0.1, 1e39, 10**400)),
    *(config(sp_model_kwargs={"enable_sampling": True, "nbest_size": value}) for value in (0, 1)),
    *(config(additional_special_tokens=value) for value in ("<a>", [3], [""], [None], {"a": 1}, [{"lstrip": True}])),
    *(config(cls_token=value) for value in (3, "", [], ["[CLS]"], {"content": 3}, {"lstrip": True}, "x" * 20_000)),
    *(config(max_len=value) for value in (0, "512", 2.5)),
    *(config(model_input_names=value) for value in ("input_ids", [], [1], None)),
    *(config(extra_special_tokens=value) for value in ("<a>", [3], {"a b": "<a>"}, {"image_token": 3})),
    *({"special": {"mask_token": value}} for value in (3, [], {"content": ""})),
    *({"added": {token: 7}} for token in ("", "x" * 20_000)),
    *({"added": {"<a>": value}} for value in ("7", -1, 2.5, None, 10**9, True, [7])),
    *(config(added_tokens_decoder=value) for value in ([], "x", 3)),
    *(config(added_tokens_decoder={key: TOKEN}) for key in ("x", "-1", "1.5", "9" * 5000, "", "٣")),
    *(config(added_tokens_decoder={"7": value}) for value in ("<e>", None, {}, {"content": 3}, {"content": ""})),
    *(
        config(added_tokens_decoder={"7": TOKEN | {flag: value}})
        for flag in ("lstrip", "rstrip", "single_word", "normalized", "special")
        for value in ("false", None, 0, [])
    ),
]


@pytest.mark.parametrize("stated", WRONG)
def test_a_value_of_the_wrong_kind_is_refused_with_its_key_and_file(tmp_path, stated):
    put(tmp_path, **stated)
    with pytest.raises(CheckpointError, match=r"^`.+` must be .*Received: .*It stands in .*\.json\.$") as caught:
        files.read(storage.Folder(tmp_path))
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("length", [1, 512, 512.0, 1e30, 10**30, None])
def test_the_longest_input_may_be_any_whole_number(tmp_path, length):
    put(tmp_path, config={"model_max_length": length})
    assert files.read(storage.Folder(tmp_path))["model_max_length"] == length


@pytest.mark.parametrize(("one", "other"), [("cls_token", "sep_token"), ("unk_token", "pad_token")])
def test_roles_that_a_model_tells_apart_have_tokens_of_their_own(tmp_path, one, other):
    put(tmp_path, config={one: "[X]", other: {**TOKEN, "content": "[X]"}})
    with pytest.raises(CheckpointError, match=r"must be another token.*'\[X\]' to both"):
        files.read(storage.Folder(tmp_path))
    put(tmp_path, config={"cls_token": "[CLS]", "bos_token": "[CLS]", "sep_token": "[SEP]", "eos_token": "[SEP]"})
    assert files.read(storage.Folder(tmp_path))["bos_token"] == "[CLS]"


def test_true_and_false_may_be_text_and_are_said_to_be(tmp_path, caplog):
    put(tmp_path, config={"do_lower_case": "False", "keep_accents": "true"})
    stated = files.read(storage.Folder(tmp_path))
    assert (stated["do_lower_case"], stated["keep_accents"]) == (False, True)
    assert "`do_lower_case` must be true or false" in caplog.text


def test_special_tokens_as_objects_are_not_normalized(tmp_path):
    put(tmp_path, special={"mask_token": {"content": "[MASK]", "lstrip": True}})
    mask = files.read(storage.Folder(tmp_path))["mask_token"]
    assert (mask.lstrip, mask.normalized, mask.special) == (True, False, True)


def test_additional_tokens_of_both_files_are_gathered(tmp_path):
    put(
        tmp_path,
        config={"additional_special_tokens": ["<a>"]},
        special={"additional_special_tokens": [{"content": "<b>"}]},
    )
    named = files.read(storage.Folder(tmp_path))["additional_special_tokens"]
    assert [token.content for token in named] == ["<a>", "<b>"]


@pytest.mark.parametrize("name", ["extra_special_tokens", "model_specific_special_tokens"])
def test_tokens_with_roles_of_a_models_own_are_read_under_both_names(tmp_path, name):
    put(tmp_path, config={name: {"image_token": "<img>"}, "image_token": "<img>"})
    stated = files.read(storage.Folder(tmp_path))
    assert stated["extra_special_tokens"] == {"image_token": "<img>"}
    assert "image_token" not in stated


def test_a_list_of_extra_tokens_joins_the_additional_ones(tmp_path):
    put(tmp_path, config={"extra_special_tokens": ["<e>"], "additional_special_tokens": ["<a>"]})
    stated = files.read(storage.Folder(tmp_path))
    assert [token.content for token in stated["additional_special_tokens"]] == ["<a>", "<e>"]
    assert "extra_special_tokens" not in stated
