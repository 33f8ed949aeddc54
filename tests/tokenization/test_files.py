import json

import pytest
from tokenizers import AddedToken

from albertkit.errors import CheckpointError
from albertkit.tokenization import files


def put(folder, **contents):
    names = {"config": files.CONFIG, "special": files.SPECIAL, "added": files.ADDED}
    for name, content in contents.items():
        (folder / names[name]).write_text(json.dumps(content), encoding="utf-8")


def shown(token):
    return files.fields(token)


FIELDS = {"content": "x", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": False}


def test_an_empty_folder_states_nothing(tmp_path):
    assert files.read(tmp_path) == {"added_tokens_decoder": {}}


def test_tokens_are_read_with_their_flags(tmp_path):
    mask = {**FIELDS, "content": "[MASK]", "lstrip": True, "special": True}
    put(tmp_path, config={"added_tokens_decoder": {"4": mask}, "mask_token": "[MASK]", "do_lower_case": False})
    stated = files.read(tmp_path)
    assert stated["do_lower_case"] is False
    assert stated["mask_token"] == "[MASK]"
    assert {index: shown(token) for index, token in stated["added_tokens_decoder"].items()} == {4: mask}


def test_roles_beside_the_config_count_only_in_old_folders(tmp_path):
    old = {"mask_token": {**FIELDS, "content": "<old>", "lstrip": True, "__type": "AddedToken"}, "cls_token": "<cls>"}
    put(tmp_path, config={"mask_token": "<new>"}, special=old)
    stated = files.read(tmp_path)
    assert shown(stated["mask_token"]) == {**FIELDS, "content": "<old>", "lstrip": True}
    assert stated["cls_token"] == "<cls>"
    put(tmp_path, config={"mask_token": "<new>", "added_tokens_decoder": {"4": {**FIELDS, "content": "<new>"}}})
    assert files.read(tmp_path)["mask_token"] == "<new>"


def test_added_tokens_of_old_folders_are_special_where_they_have_a_role(tmp_path):
    put(
        tmp_path,
        config={"padding_side": "right", "mask_token": "<mask>"},
        special={"cls_token": "<cls>", "additional_special_tokens": ["<e>"]},
        added={"right": 30000, "<mask>": 30001, "<cls>": 30002, "<e>": 30003},
    )
    stated = files.read(tmp_path)
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
    stated = files.read(tmp_path)
    assert (stated["sp_model_kwargs"], stated["model_max_length"], stated["mine"]) == ({"alpha": 0.1}, 512, {"a": 1})


@pytest.mark.parametrize(
    "key", ["vocab_file", "tokenizer_file", "special_tokens_map_file", "name_or_path", "init_inputs"]
)
def test_paths_of_the_writer_are_dropped(tmp_path, key):
    put(tmp_path, config={key: "/somewhere/else"})
    assert key not in files.read(tmp_path)


def test_a_file_that_is_cut_short_is_named(tmp_path):
    (tmp_path / files.CONFIG).write_text('{"do_lower_case": tr')
    with pytest.raises(CheckpointError, match=r"tokenizer_config.json must be JSON text"):
        files.read(tmp_path)


def test_what_is_written_is_read_again(tmp_path):
    token = AddedToken("<e>", lstrip=True, rstrip=True, single_word=True, normalized=False, special=True)
    files.write(
        tmp_path,
        "",
        {"do_lower_case": True, "added_tokens_decoder": {"7": files.fields(token)}},
        {"mask_token": files.fields(token)},
        {"<e>": 7},
    )
    stated = files.read(tmp_path)
    assert shown(stated["added_tokens_decoder"][7]) == files.fields(token)
    assert stated["do_lower_case"] is True
    (tmp_path / files.CONFIG).unlink()
    old = files.read(tmp_path)
    assert shown(old["mask_token"])["content"] == "<e>"
    assert list(old["added_tokens_decoder"]) == [7]


def test_names_may_have_a_prefix_and_keys_are_sorted(tmp_path):
    files.write(tmp_path, "my-", {"b": 1, "a": 2}, {"unk_token": "u"}, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "my-special_tokens_map.json",
        "my-tokenizer_config.json",
    ]
    assert list(json.loads((tmp_path / "my-tokenizer_config.json").read_text())) == ["a", "b"]
