"""What only the PyTorch models have: switches, tying, resizing, compiling, subclassing."""

import copy
import logging
import pickle
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import distributed, nn  # noqa: E402

from albertkit.batches import PaddedBatch  # noqa: E402
from albertkit.errors import ConfigError, InputError, WeightMismatch  # noqa: E402
from albertkit.torch import models, train  # noqa: E402
from frameworks.adapters import Torch  # noqa: E402
from frameworks.common import HEADS, batch, random_tensors, small  # noqa: E402

pytestmark = pytest.mark.torch


def make(head, **changes):
    config = small(**changes)
    return Torch().build(head, config, random_tensors(config, head))


def inputs(head, **options):
    return {name: torch.from_numpy(array) for name, array in batch(head, **options).items()}


@pytest.mark.parametrize("head", HEADS)
def test_first_argument_is_the_ids_and_labels_stand_before_the_switches(head):
    import inspect

    parameters = list(inspect.signature(getattr(models, f"Albert{head}").forward).parameters)[1:]
    assert parameters[:6] == [
        *("input_ids", "attention_mask", "token_type_ids", "position_ids", "head_mask", "inputs_embeds")
    ]
    assert parameters[-3:] == ["output_attentions", "output_hidden_states", "return_dict"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("padding", ["left", "right", None])
def test_fused_and_stepwise_attention_agree(head, padding):
    model = make(head)
    fused = model(**inputs(head, padding=padding))
    model.set_attn_implementation("eager")
    stepwise = model(**inputs(head, padding=padding))
    for one, other in zip(fused.to_tuple(), stepwise.to_tuple(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_attention_has_three_ways_and_another_is_refused(tmp_path):
    model = make("Model")
    assert model.config._attn_implementation == "sdpa"
    with pytest.raises(ConfigError, match=r'must be "sdpa", "packed" or "eager"\. Received: \'flash_attention_2\''):
        model.set_attn_implementation("flash_attention_2")
    model.save_pretrained(tmp_path)
    assert "attn" not in (tmp_path / "config.json").read_text()
    loaded = models.AlbertModel.from_pretrained(tmp_path, attn_implementation="eager")
    assert loaded.config._attn_implementation == "eager"
    assert models.AlbertModel.from_pretrained(tmp_path).config._attn_implementation == "sdpa"


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("use_reentrant", [True, False])
def test_gradient_checkpointing_changes_no_gradient(implementation, use_reentrant):
    adapter, changes = Torch(), {"num_hidden_groups": 2, "inner_group_num": 2}
    model = make("ForPreTraining", **changes)
    model.set_attn_implementation(implementation)
    expected = {name: g.copy() for name, g in adapter.gradients(model, batch("ForPreTraining")).items()}
    model.gradient_checkpointing_enable({"use_reentrant": use_reentrant})
    assert model.is_gradient_checkpointing
    calls = []
    hook = model.albert.encoder.albert_layer_groups[0].register_forward_pre_hook(lambda *_: calls.append(1))
    found = adapter.gradients(model, batch("ForPreTraining"))
    hook.remove()
    assert len(calls) == 4  # Two layers of the group, each run once forward and once again backward.
    for name, gradient in found.items():
        np.testing.assert_allclose(gradient, expected[name], atol=1e-6)
    model.gradient_checkpointing_disable()
    assert not model.is_gradient_checkpointing


def test_config_switches_gradient_checkpointing_on():
    assert make("ForMaskedLM", gradient_checkpointing=True).is_gradient_checkpointing


@pytest.mark.parametrize("head", [head for head in HEADS if head != "Model"])
def test_every_parameter_gets_a_gradient(head):
    model = make(head)
    model(**inputs(head)).loss.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_hidden_states_and_attentions_keep_gradients():
    output = make("Model")(**inputs("Model"), output_hidden_states=True, output_attentions=True)
    for value in (output.hidden_states[0], output.attentions[0]):
        value.retain_grad()
    output.last_hidden_state.flatten()[0].backward()
    assert output.hidden_states[0].grad.abs().sum() > 0
    assert output.attentions[0].grad.abs().sum() > 0


def test_gradient_reaches_the_head_mask():
    mask = torch.ones(4, 4, requires_grad=True)
    make("Model")(**inputs("Model"), head_mask=mask).last_hidden_state.flatten()[0].backward()
    assert (mask.grad.abs().sum(1) > 0).all()


@pytest.mark.parametrize("head", ["ForPreTraining", "ForMaskedLM"])
def test_tied_parameters_are_one_object(head):
    model = make(head)
    assert model.predictions.decoder.weight is model.get_input_embeddings().weight
    assert model.predictions.decoder.bias is model.predictions.bias
    assert not any("decoder" in name for name, _ in model.named_parameters())
    untied = make(head, tie_word_embeddings=False)
    assert untied.predictions.decoder.weight is not untied.get_input_embeddings().weight
    assert untied.predictions.decoder.bias is untied.predictions.bias


def test_only_masked_language_models_have_output_embeddings():
    for head in HEADS:
        decoder = make(head).get_output_embeddings()
        assert (decoder is not None) == (head in ("ForPreTraining", "ForMaskedLM"))
    with pytest.raises(InputError, match="AlbertModel has no masked-language-model head"):
        make("Model").set_output_embeddings(nn.Linear(8, 61))


def test_a_head_inside_a_subclass_of_a_model_with_a_head_is_tied_too(tmp_path):
    class Own(models.AlbertForMaskedLM):
        def __init__(self, config):
            super().__init__(config)
            self.second = models.AlbertForMaskedLM(config)
            self.post_init()

    make("ForMaskedLM").save_pretrained(tmp_path)
    model = Own.from_pretrained(tmp_path)
    for one in (model, model.second):
        assert one.predictions.decoder.weight is one.get_input_embeddings().weight
        assert one.predictions.decoder.bias is one.predictions.bias


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("size", [40, 80])
def test_resizing_changes_embeddings_decoder_bias_and_config_together(size, tied):
    model = make("ForMaskedLM", tie_word_embeddings=tied)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    kept = min(size, 61)
    returned = model.resize_token_embeddings(size)
    assert returned is model.get_input_embeddings()
    assert returned.padding_idx == 0
    assert model.config.vocab_size == size
    after = model.state_dict()
    for name in ("albert.embeddings.word_embeddings.weight", "predictions.decoder.weight", "predictions.bias"):
        assert after[name].shape[0] == size
        torch.testing.assert_close(after[name][:kept], before[name][:kept], rtol=0, atol=0)
    assert model.predictions.decoder.bias is model.predictions.bias
    assert (model.predictions.decoder.weight is returned.weight) == tied
    assert model.predictions.decoder.out_features == size
    assert not model.predictions.bias[61:].any()
    ids = torch.tensor([[1, size - 1, 2]])
    assert model(ids).logits.shape == (1, 3, size)
    model(ids, labels=ids).loss.backward()
    assert model.get_input_embeddings().weight.grad.abs().sum() > 0


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("way", ["resize", "replace"])
def test_the_head_inside_ones_own_class_is_resized_with_the_words(tmp_path, way, tied):
    class Own(models.AlbertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.mlm = models.AlbertForMaskedLM(config.changed())
            self.post_init()

    model = Own(small(tie_word_embeddings=tied)).eval()
    if way == "resize":
        model.resize_token_embeddings(80)
    else:
        model.set_input_embeddings(nn.Embedding(80, 8))
    ids = torch.tensor([[1, 79, 2]])
    assert model.mlm(ids).logits.shape == (1, 3, 80)
    assert (model.mlm.predictions.decoder.weight is model.get_input_embeddings().weight) == tied
    assert model.config.vocab_size == model.mlm.config.vocab_size == 80
    model.save_pretrained(tmp_path)
    torch.testing.assert_close(Own.from_pretrained(tmp_path).mlm(ids).logits, model.mlm(ids).logits, rtol=0, atol=0)


@pytest.mark.parametrize("frozen", [True, False])
def test_what_was_frozen_is_frozen_after_resizing(frozen):
    model = make("ForMaskedLM", tie_word_embeddings=False).requires_grad_(not frozen)
    model.resize_token_embeddings(80)
    assert {parameter.requires_grad for parameter in model.parameters()} == {not frozen}


def test_output_embeddings_bring_their_bias_or_take_over_the_heads():
    model = make("ForMaskedLM", tie_word_embeddings=False)
    plain, bias = nn.Linear(8, 61, bias=False), model.predictions.bias
    model.set_output_embeddings(plain)
    assert model.get_output_embeddings() is plain
    assert plain.bias is model.predictions.bias is bias
    own = nn.Linear(8, 61)
    model.set_output_embeddings(own)
    assert model.predictions.bias is own.bias
    with pytest.raises(InputError, match=r"which is for 61 tokens\. Received: a layer for 70"):
        model.set_output_embeddings(nn.Linear(8, 70, bias=False))
    assert model.get_output_embeddings() is own


def test_choices_share_positions_that_are_given_once():
    model = make("ForMultipleChoice").eval()
    given = inputs("ForMultipleChoice")
    length = given["input_ids"].shape[-1]
    torch.testing.assert_close(model(**given, position_ids=torch.arange(length)).logits, model(**given).logits)


def test_new_rows_stand_at_the_mean_of_the_old_ones_or_are_fresh():
    model = make("Model", initializer_range=0.5)
    mean = model.get_input_embeddings().weight.mean(0)
    rows = model.resize_token_embeddings(80).weight[61:]
    torch.testing.assert_close(rows, mean.expand_as(rows), atol=1e-3, rtol=0)
    assert len(torch.unique(rows, dim=0)) == 19
    fresh = make("Model", initializer_range=0.5).resize_token_embeddings(3000, mean_resizing=False).weight[61:]
    assert abs(fresh.detach().std().item() - 0.5) < 0.02


def test_resizing_rounds_up_and_refuses_what_is_no_size():
    model = make("Model")
    assert model.resize_token_embeddings(pad_to_multiple_of=64).num_embeddings == 64
    assert model.resize_token_embeddings(65, pad_to_multiple_of=64).num_embeddings == 128
    assert model.resize_token_embeddings() is model.get_input_embeddings()
    with pytest.raises(ValueError, match=r"`pad_to_multiple_of` must be a whole number.* Received: 1\.3"):
        model.resize_token_embeddings(10, pad_to_multiple_of=1.3)
    with pytest.raises(InputError, match="Received: 0"):
        model.resize_token_embeddings(0)


def test_a_resized_model_saves_and_loads(tmp_path):
    model = make("ForPreTraining").eval()
    model.resize_token_embeddings(70)
    model.save_pretrained(tmp_path)
    loaded = models.AlbertForPreTraining.from_pretrained(tmp_path)
    ids = torch.tensor([[1, 69, 2]])
    torch.testing.assert_close(loaded(ids).prediction_logits, model(ids).prediction_logits, rtol=0, atol=0)


def test_parameters_can_be_counted_in_part():
    model = make("ForMaskedLM")
    tables = (61 + 16 + 2) * 8
    assert model.num_parameters() - model.num_parameters(exclude_embeddings=True) == tables
    model.albert.embeddings.requires_grad_(False)
    assert model.num_parameters(only_trainable=True) == model.num_parameters() - tables - 16


def test_without_a_pooler_the_dictionary_lacks_it_and_the_tuple_keeps_its_place():
    config = small()
    model = models.AlbertModel(config, add_pooling_layer=False)
    assert list(model(**inputs("Model")).keys()) == ["last_hidden_state"]
    plain = model(**inputs("Model"), return_dict=False, output_hidden_states=True)
    assert plain[1] is None
    assert len(plain) == 3


def test_a_model_can_be_built_without_memory_copied_and_pickled():
    with torch.device("meta"):
        assert models.AlbertForPreTraining(small()).device.type == "meta"
    model = make("ForMaskedLM")
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):  # noqa: S301
        torch.testing.assert_close(twin(**inputs("ForMaskedLM")).loss, model(**inputs("ForMaskedLM")).loss)


def test_torch_manual_seed_decides_fresh_weights():
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(models.AlbertModel(small()).pooler.weight.detach().clone())
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_outputs_pass_through_pytrees():
    from torch.utils import _pytree

    output = make("ForSequenceClassification")(**inputs("ForSequenceClassification"), output_hidden_states=True)
    doubled = _pytree.tree_map(lambda value: value * 2, output)
    assert type(doubled) is type(output)
    assert list(doubled) == list(output)
    torch.testing.assert_close(doubled.logits, output.logits * 2)


@pytest.mark.slow
def test_a_compiled_model_gives_the_same():
    model = make("ForSequenceClassification").eval()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        expected, found = (m(**inputs("ForSequenceClassification")) for m in (model, compiled))
    torch.testing.assert_close(found.logits, expected.logits)


def test_a_model_can_be_exported():
    model = make("ForSequenceClassification").eval()
    given = dict(inputs("Model").items())
    program = torch.export.export(model, (), given)
    torch.testing.assert_close(program.module()(**given).logits, model(**given).logits)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_near_and_finite(dtype):
    model = make("ForMaskedLM").eval()
    with torch.no_grad():
        expected = model(**inputs("ForMaskedLM")).logits
        found = copy.deepcopy(model).to(dtype)(**inputs("ForMaskedLM")).logits
    assert found.dtype == dtype
    assert float((found.float() - expected).abs().max() / expected.abs().max()) < 2e-2


class Scorer(models.AlbertPreTrainedModel):
    """A model that someone else wrote on top."""

    def __init__(self, config):
        super().__init__(config)
        self.albert = models.AlbertModel(config)
        self.scorer = nn.Linear(config.hidden_size, 5)
        self.post_init()

    def forward(self, **arguments):
        return self.scorer(self.albert(**arguments).pooler_output)


def test_a_subclass_with_a_layer_of_its_own_saves_and_loads(tmp_path, caplog):
    model = Scorer(small()).eval()
    model.save_pretrained(tmp_path / "scorer")
    with caplog.at_level(logging.WARNING):
        loaded = Scorer.from_pretrained(tmp_path / "scorer")
    assert not caplog.records
    torch.testing.assert_close(loaded(**inputs("Model")), model(**inputs("Model")), rtol=0, atol=0)
    make("ForMaskedLM").save_pretrained(tmp_path / "mlm")
    with caplog.at_level(logging.WARNING):
        begun = Scorer.from_pretrained(tmp_path / "mlm")
    assert "scorer.weight" in caplog.text
    assert torch.isfinite(begun(**inputs("Model"))).all()
    assert begun.scorer.weight.std() > 0


def test_a_subclass_of_the_encoder_keeps_what_it_adds_and_starts_it_fresh(tmp_path):
    class Own(models.AlbertModel):
        def __init__(self, config):
            super().__init__(config)
            self.extra = nn.Linear(2, 3)
            self.post_init()

    model = Own(small())
    model.save_pretrained(tmp_path / "own")
    loaded = Own.from_pretrained(tmp_path / "own")
    assert loaded.load_report.missing == loaded.load_report.unexpected == ()
    torch.testing.assert_close(loaded.extra.weight, model.extra.weight, rtol=0, atol=0)
    make("Model").save_pretrained(tmp_path / "plain")
    assert len(Own.from_pretrained(tmp_path / "plain").load_report.newly_initialized) == 2


class Weighed(models.AlbertPreTrainedModel):
    """What a person's constructor may give values to, beside layers."""

    def __init__(self, config):
        super().__init__(config)
        self.albert = models.AlbertModel(config)
        self.scale = nn.Parameter(torch.tensor([2.5, 3.5]))
        self.loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0]))
        self.register_buffer("apart", torch.tensor([6.0]), persistent=False)
        self.thresholds = torch.tensor([0.25, 0.75])
        self.zeroed = nn.Linear(config.hidden_size, 2)
        nn.init.zeros_(self.zeroed.weight)
        self.post_init()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_a_subclass_gives_values_to_in_its_constructor_has_them_when_it_is_loaded(tmp_path, dtype):
    make("Model").save_pretrained(tmp_path)
    [torch.full((2,), torch.nan) for _ in range(1000)]  # what memory without values would hold
    model = Weighed.from_pretrained(tmp_path, dtype=dtype)
    assert model.scale.tolist() == [2.5, 3.5]
    assert model.loss.weight.tolist() == [1.0, 5.0]
    assert model.apart.tolist() == [6.0]
    assert model.thresholds.tolist() == [0.25, 0.75]
    assert not model.zeroed.weight.any()
    assert {tensor.dtype for tensor in model.state_dict().values()} == {dtype}
    assert model.loss(torch.zeros(2, 2, dtype=dtype), torch.tensor([0, 1])).isfinite()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_floats_of_a_constructor_take_the_dtype_that_is_asked_for_and_other_numbers_keep_theirs(tmp_path, dtype):
    class Own(models.AlbertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.albert = models.AlbertModel(config)
            self.scale = nn.Parameter(torch.tensor([0.25, 2.0], dtype=torch.float64))
            self.register_buffer("halves", torch.tensor([0.5], dtype=torch.float16))
            self.register_buffer("turn", torch.tensor([1 + 2j]))
            self.register_buffer("step", torch.tensor([3]))
            self.post_init()

    make("Model").save_pretrained(tmp_path)
    model = Own.from_pretrained(tmp_path, dtype=dtype)
    assert {tensor.dtype for tensor in (*model.parameters(), model.halves)} == {dtype}
    assert (model.scale.tolist(), model.halves.tolist()) == ([0.25, 2.0], [0.5])
    assert (model.turn.tolist(), model.step.tolist()) == ([1 + 2j], [3])


class Scaled(nn.Module):
    """A module with a rule, one of whose parameters is made from a layer that is about to be loaded."""

    def __init__(self, like):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones_like(like)), nn.Parameter(torch.tensor([7.0]))
        self.register_buffer("count", torch.tensor([3.0]))

    def reset_parameters(self):
        nn.init.constant_(self.weight, 4.0)
        nn.init.zeros_(self.bias)


def test_what_is_made_from_layers_about_to_be_loaded_gets_values_beside_what_has_some(tmp_path):
    class Own(models.AlbertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.albert = models.AlbertModel(config)
            self.scaled = Scaled(self.albert.pooler.bias)
            self.post_init()

    make("Model").save_pretrained(tmp_path)
    scaled = Own.from_pretrained(tmp_path).scaled
    assert (scaled.weight == 4).all()
    assert (scaled.bias.tolist(), scaled.count.tolist()) == ([7.0], [3.0])


@pytest.mark.parametrize("kind", ["parameter", "buffer", "transient"])
def test_what_is_made_from_layers_about_to_be_loaded_and_has_no_rule_is_refused(tmp_path, kind):
    class Own(models.AlbertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.albert = models.AlbertModel(config)
            ones = torch.ones_like(self.albert.pooler.bias)
            if kind == "parameter":
                self.scale = nn.Parameter(ones)
            else:
                self.register_buffer("scale", ones, persistent=kind == "buffer")
            self.post_init()

    make("Model").save_pretrained(tmp_path / "base")
    with pytest.raises(InputError, match=r"must have values.*Received: scale of Own.*Make it by a shape"):
        Own.from_pretrained(tmp_path / "base")
    Own(small()).save_pretrained(tmp_path / "own")
    if kind != "transient":
        assert (Own.from_pretrained(tmp_path / "own").scale == 1).all()


def test_a_layer_with_a_name_of_the_table_keeps_what_the_constructor_of_a_subclass_gave_it(tmp_path):
    class Own(models.AlbertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.albert = models.AlbertModel(config)
            self.classifier = nn.Linear(config.hidden_size, 2)
            self.inside = models.AlbertForSequenceClassification(config)
            self.post_init()
            nn.init.constant_(self.classifier.weight, 0.5)
            nn.init.constant_(self.classifier.bias, -2.0)

    make("Model").save_pretrained(tmp_path)
    for model in (Own(small()), Own.from_pretrained(tmp_path)):
        assert (model.classifier.weight == 0.5).all()
        assert (model.classifier.bias == -2).all()
        assert 0.005 < model.inside.classifier.weight.std() < 0.04
        assert not model.inside.classifier.bias.any()


def test_a_layer_with_a_name_of_the_table_is_drawn_by_it_in_a_loaded_model_as_in_a_new_one(tmp_path):
    class Own(models.AlbertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.albert = models.AlbertModel(config)
            self.classifier = nn.Linear(config.hidden_size, 2)
            self.post_init()

    make("Model").save_pretrained(tmp_path)
    for model in (Own(small()), Own.from_pretrained(tmp_path)):
        assert 0.005 < model.classifier.weight.std() < 0.04  # torch's own rule has 0.1 for this width
        assert not model.classifier.bias.any()


class Judged(models.AlbertPreTrainedModel):
    """A classifier inside a class that has one of its own beside it."""

    def __init__(self, config):
        super().__init__(config)
        self.inside = models.AlbertForSequenceClassification(config)
        self.classifier = nn.Linear(config.hidden_size, 5)
        self.post_init()


def test_two_classifiers_of_ones_own_class_come_back_each_with_its_own_values(tmp_path):
    model = Judged(small())
    model.save_pretrained(tmp_path)
    again = Judged.from_pretrained(tmp_path)
    assert again.load_report.newly_initialized == again.load_report.unexpected == ()
    for name, values in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], values, rtol=0, atol=0, msg=name)
    with pytest.raises(WeightMismatch, match=r"must be stored once.*class that wrote it"):
        models.AlbertForSequenceClassification.from_pretrained(tmp_path)


@pytest.mark.parametrize("way", ["set", "with a bias", "without"])
def test_a_decoder_of_its_own_inside_ones_own_class_is_saved_untied_with_the_bias_that_acts(tmp_path, way):
    class Filler(models.AlbertPreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.inside = models.AlbertForMaskedLM(config)
            self.post_init()

    model = Filler(small()).eval()
    nn.init.constant_(model.inside.predictions.bias, 3.0)
    decoder = nn.Linear(model.config.embedding_size, model.config.vocab_size, bias=way != "without")
    if way == "set":
        model.inside.set_output_embeddings(decoder)
    else:
        model.inside.predictions.decoder = decoder
    model.save_pretrained(tmp_path)
    again = Filler.from_pretrained(tmp_path)
    assert not again.config.tie_word_embeddings
    given = inputs("Model")
    torch.testing.assert_close(again.inside(**given).logits, model.inside(**given).logits, rtol=0, atol=0)


@pytest.mark.parametrize(("variables", "gpu"), [({"LOCAL_RANK": "3"}, 3), ({}, 0)])
def test_a_process_of_several_takes_the_gpu_of_its_own(monkeypatch, variables, gpu):
    taken, met = [], []
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    for name, value in {"WORLD_SIZE": "4", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", met.append)
    train.init_processes()
    assert (taken, met) == ([gpu], ["nccl"])


def test_a_sharded_optimizer_is_whole_right_after_an_evaluation(monkeypatch):
    config, head = small(num_labels=2), "ForSequenceClassification"
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(train, "world_size", lambda: 2)  # one alone shares nothing out
            state = train.init_state(config, head, random_tensors(config, head), is_sharded=True)
        inputs = PaddedBatch(**batch(head))
        train.train_step(state, [inputs], 1e-3, 0)
        whole = train.get_optimizer(state)
        train.eval_step(state, inputs)
        assert whole
        assert set(train.get_optimizer(state)) == set(whole)
    finally:
        distributed.destroy_process_group()


@pytest.mark.parametrize("origin", ["newly initialised", "read from a folder"])
def test_layers_are_of_torchs_own_types(tmp_path, origin):
    """Tools that replace layers go by the exact type, and pass over subclasses in silence."""
    model = models.AlbertForPreTraining(small())
    if origin != "newly initialised":
        model.save_pretrained(tmp_path)
        model = models.AlbertForPreTraining.from_pretrained(tmp_path)
    weighted = [module for module in model.modules() if isinstance(getattr(module, "weight", None), nn.Parameter)]
    assert {type(module) for module in weighted} == {nn.Linear, nn.Embedding, nn.LayerNorm}


def test_dynamic_quantisation_reaches_every_dense_layer(tmp_path):
    models.AlbertForSequenceClassification(small()).save_pretrained(tmp_path)
    model = models.AlbertForSequenceClassification.from_pretrained(tmp_path)
    names = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchao takes its place, which says torch in two kinds of warnings
        quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear})
    replaced = {name for name, module in quantised.named_modules() if isinstance(module, nn.quantized.dynamic.Linear)}
    assert replaced == names
    ids = torch.tensor([[2, 7, 9, 3]])
    torch.testing.assert_close(quantised(ids).logits, model(ids).logits, atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("capability", "precision", "told"), [("AVX2", "bf16", 1), ("AVX512", "bf16", 0), ("AVX2", "fp32", 0)]
)
def test_half_precision_that_the_processor_cannot_compute_is_told(monkeypatch, caplog, capability, precision, told):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    config = small()
    train.init_state(config, "ForMaskedLM", random_tensors(config, "ForMaskedLM"), precision=precision)
    assert len([line for line in caplog.messages if "training.precision=fp32" in line]) == told
