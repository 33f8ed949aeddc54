"""One checkpoint, every direction: what one framework writes, each of them reads."""

import itertools

import numpy as np
import pytest

from albertkit import weight_table
from albertkit.checkpoint import files
from albertkit.errors import CheckpointError, CheckpointNotFound
from frameworks import common
from frameworks.adapters import ADAPTERS
from frameworks.common import HEADS, batch, difference, random_tensors, small

WAYS = [
    pytest.param(*way, marks=[getattr(pytest.mark, name) for name in set(way)])
    for way in itertools.product(ADAPTERS, repeat=2)
]


@pytest.mark.parametrize(("writer", "reader"), WAYS)
@pytest.mark.parametrize("head", HEADS)
def test_what_one_writes_another_reads(writer, reader, head, tmp_path):
    writer, reader = ADAPTERS[writer](), ADAPTERS[reader]()
    config = small(num_hidden_groups=2, inner_group_num=2)
    tensors = random_tensors(config, head)
    model = writer.evaluating(writer.build(head, config, tensors))
    writer.save(model, tmp_path)
    loaded = reader.evaluating(reader.load(head, tmp_path))
    for name, value in reader.tensors(loaded).items():
        np.testing.assert_array_equal(value, tensors[name], err_msg=name)
    expected, found = (adapter.outputs(m, batch(head)) for adapter, m in ((writer, model), (reader, loaded)))
    assert list(found) == list(expected)
    for name, value in found.items():
        assert difference(value, expected[name]) <= 1e-5, name


@pytest.mark.parametrize("axis", common.AXES)
def test_every_framework_writes_the_same_bytes(axis, tmp_path):
    config = small(**common.AXES[axis])
    tensors = random_tensors(config, "ForPreTraining")
    written = set()
    for name, adapter in ADAPTERS.items():
        adapter = adapter()
        adapter.save(adapter.build("ForPreTraining", config, tensors), tmp_path / name)
        written.add(tuple((tmp_path / name / file).read_bytes() for file in ("model.safetensors", "config.json")))
    assert len(written) == 1


@pytest.mark.parametrize("source", HEADS)
@pytest.mark.parametrize("target", HEADS)
def test_encoders_go_from_head_to_head(adapter, source, target, tmp_path):
    config = small()
    tensors = random_tensors(config, source)
    files.save(tmp_path, config, tensors, f"Albert{source}")
    found = adapter.tensors(adapter.load(target, tmp_path, ignore_mismatched_sizes=True))
    assert list(found) == list(weight_table.expected(config, target))
    for name in set(found) & set(tensors):
        if found[name].shape == tensors[name].shape:
            np.testing.assert_array_equal(found[name], tensors[name], err_msg=name)


@pytest.mark.parametrize("kind", ["damaged", "not finite"])
def test_no_model_is_given_out_before_its_values_are_checked(adapter, kind, tmp_path):
    config = small()
    tensors = random_tensors(config, "Model")
    if kind == "not finite":
        tensors["albert.pooler.bias"][3] = np.nan
    files.save(tmp_path, config, tensors, "AlbertModel")
    if kind == "damaged":
        content = bytearray((tmp_path / "model.safetensors").read_bytes())
        content[-2] ^= 1
        (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"must have the checksum|must be finite numbers"):
        adapter.load("Model", tmp_path)


def test_saving_and_loading_take_their_options(adapter, tmp_path):
    config = small()
    model = adapter.build("Model", config, random_tensors(config, "Model"))
    model.save_pretrained(tmp_path / "nothing", is_main_process=False)
    assert not (tmp_path / "nothing").exists()
    model.save_pretrained(tmp_path / "shards", max_shard_size=4000)
    model.save_pretrained(tmp_path / "variant", variant="half")
    assert len(list((tmp_path / "shards").glob("model-*-of-*.safetensors"))) > 1
    assert {file.name for file in (tmp_path / "variant").iterdir()} == {"config.json", "model.half.safetensors"}
    expected = adapter.tensors(model)
    for folder, options in (("shards", {}), ("variant", {"variant": "half"})):
        for name, value in adapter.tensors(adapter.load("Model", tmp_path / folder, **options)).items():
            np.testing.assert_array_equal(value, expected[name], err_msg=name)
    void = {"from_pt": True, "from_tf": True, "from_flax": False, "weights_only": True}
    void |= {"trust_remote_code": False, "adapter_kwargs": None}
    assert adapter.load("Model", tmp_path / "shards", **void).config.vocab_size == config.vocab_size
    config.changed(layer_norm_eps=0.5).save_pretrained(tmp_path / "config")
    assert adapter.load("Model", tmp_path / "shards", config=tmp_path / "config").config.layer_norm_eps == 0.5
    for folder, options in (("variant", {}), ("shards", {"use_safetensors": False})):
        with pytest.raises(CheckpointNotFound):
            adapter.load("Model", tmp_path / folder, **options)
