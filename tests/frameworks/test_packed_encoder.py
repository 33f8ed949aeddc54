"""The encoder on a CPU in three precisions: the same answers, whatever else is computed beside a text."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from albertkit.batches import MaskedBatch, PaddedBatch  # noqa: E402
from albertkit.errors import InputError  # noqa: E402
from albertkit.quantization import MAPPING, SITES, Quantization, per_token  # noqa: E402
from albertkit.torch import infer, private_api  # noqa: E402
from albertkit.torch.packed import calibration, chunks, int8, packed_encoder, precisions, products  # noqa: E402
from albertkit.torch.packed.int8 import FBGEMMProduct, OneDNNProduct  # noqa: E402
from frameworks.adapters import Torch  # noqa: E402
from frameworks.common import HEADS, batch, random_tensors, small  # noqa: E402

pytestmark = pytest.mark.torch
PRECISIONS = ("fp32", "bf16", "int8")
LENGTHS = (5, 9, 9, 17, 3, 24, 9, 1)
KINDS = [OneDNNProduct, FBGEMMProduct]


@pytest.fixture(params=KINDS)
def kind(request):
    """Each class of int8 products; the fastest one is the only one that is used otherwise."""
    if request.param is FBGEMMProduct and not private_api.has_fbgemm():
        pytest.skip("This build of PyTorch has no FBGEMM.")
    return request.param


def rows(config, lengths=LENGTHS):
    draw = np.random.default_rng(7)
    return [draw.integers(5, config.vocab_size, length).tolist() for length in lengths]


def padded(ids):
    return PaddedBatch.of_rows(ids, [[0] * len(row) for row in ids], 0)


def longer(**changes):
    return small(max_position_embeddings=32, **changes)


def compiled(head="Model", precision="fp32", quantization=None, **changes):
    config = longer(**changes)
    tensors = random_tensors(config, head)
    return config, infer.compile(config, head, tensors, "the test", "cpu", precision, quantization)


def outputs_of_each(forward, ids):
    """The states of each row, from one batch of all and from a batch of its own."""
    together = forward(padded(ids))["last_hidden_state"]
    return [(together[row, : len(one)], forward(padded([one]))["last_hidden_state"][0]) for row, one in enumerate(ids)]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("changes", [{}, {"num_hidden_groups": 2, "inner_group_num": 2, "hidden_act": "gelu"}])
def test_fp32_gives_what_the_model_gives(head, changes):
    config, forward = compiled(head, **changes)
    model = Torch().build(head, config, random_tensors(config, head)).eval()
    given = batch(head, padding="right")
    given = {name: array for name, array in given.items() if name in PaddedBatch.__dataclass_fields__}
    arguments = {name: torch.from_numpy(array) for name, array in given.items()}
    expected = model(**{name: arguments[name] for name in given}, return_dict=True)
    found = forward(PaddedBatch(**given))
    for name in found:
        kept = slice(None)
        values = expected[name].detach().numpy()
        if values.shape[:2] == given["input_ids"].shape and given["attention_mask"].shape == values.shape[:2]:
            kept = given["attention_mask"] > 0
        if name != "loss":
            np.testing.assert_allclose(found[name][kept], values[kept], atol=2e-5, err_msg=name)


@pytest.mark.parametrize("chunk", [1, 10, 27, 1000])
def test_chunks_do_not_change_what_is_computed(monkeypatch, chunk):
    monkeypatch.setattr(chunks, "CHUNK", chunk)
    config, forward = compiled("ForSequenceClassification")
    one_by_one = np.concatenate([forward(padded([row]))["logits"] for row in rows(config)])
    np.testing.assert_allclose(forward(padded(rows(config)))["logits"], one_by_one, atol=1e-5)


def test_a_text_has_the_same_states_whatever_stands_beside_it():
    config, forward = compiled()
    for together, alone in outputs_of_each(forward, rows(config)):
        np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("scales", ["token", "one"])
def test_in_int8_the_states_are_equal_to_the_last_bit(monkeypatch, kind, scales):
    monkeypatch.setattr(int8, "fastest_product", lambda: kind)
    config = longer()
    quantization = per_token(config) if scales == "token" else one_scale(config, 6.0)
    _, forward = compiled(precision="int8", quantization=quantization)
    for together, alone in outputs_of_each(forward, rows(config)):
        np.testing.assert_array_equal(together, alone)


def one_scale(config, largest):
    runs = config.num_hidden_layers * config.inner_group_num
    return Quantization(largest, tuple(dict.fromkeys(SITES, largest) for _ in range(runs)))


@pytest.mark.parametrize("chunk", [10, 1000])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_masked_places_have_the_scores_of_a_whole_run(monkeypatch, precision, chunk):
    monkeypatch.setattr(chunks, "CHUNK", chunk)
    config, forward = compiled("ForMaskedLM", precision)
    ids = rows(config)
    positions = np.array([[3, 16], [0, 2], [5, 0], [5, 23], [1, 8]])
    masked = MaskedBatch.of_rows(ids, [[0] * len(row) for row in ids], 0, positions=positions)
    whole = forward(padded(ids))["logits"]
    np.testing.assert_allclose(forward(masked)["logits"], whole[positions[:, 0], positions[:, 1]], atol=1e-5)


def test_int8_is_near_float32_and_one_scale_is_calibrated():
    config = longer()
    tensors = random_tensors(config, "Model")
    data = padded(rows(config))
    exact = infer.compile(config, "Model", tensors)(data)["last_hidden_state"]
    seen = calibration.observe(config, "Model", tensors, [data])
    assert seen.keys() == {MAPPING, *SITES}
    layers = tuple({site: seen[site][run].best[0] for site in SITES} for run in range(config.num_hidden_layers))
    for known in (None, Quantization(seen[MAPPING][0].best[0], layers)):
        found = infer.compile(config, "Model", tensors, precision="int8", quantization=known)(data)
        pair = [torch.from_numpy(values[data.attention_mask > 0]) for values in (found["last_hidden_state"], exact)]
        assert functional.cosine_similarity(*pair, -1).min() > 0.99


def test_calibration_sees_the_largest_input_and_the_error_of_int8():
    inputs = torch.tensor([[1.0, -8.0, 0.5], [0.02, 0.01, 0.0]])
    one = calibration._Input()
    one.see(inputs)
    one.is_measured = True
    one.see(inputs)
    found = one.statistics()
    assert found.channels.tolist() == [1.0, 8.0, 0.5]
    step = 8 / 127
    error = ((inputs / step).round() * step - inputs).square().sum().sqrt() / inputs.square().sum().sqrt()
    assert found.errors[0] == pytest.approx(error.item(), rel=1e-5)
    assert found.token_error < found.errors[0]
    assert found.best[0] == pytest.approx(8.0)  # the row that a smaller reach would clip holds most of what there is


@pytest.mark.parametrize("hidden_act", ["gelu_new", "gelu", "relu", None])
@pytest.mark.parametrize("known", [4.0, "token"])
def test_a_product_of_bytes_is_the_product_of_what_its_bytes_stand_for(kind, hidden_act, known):
    torch.manual_seed(0)
    weight, bias, x = torch.randn(24, 40) * 0.1, torch.randn(24), torch.randn(7, 40)
    x[0, 0] = 9.0  # beyond what is known
    product = kind(weight, bias, torch.float32, [known], hidden_act)
    prepared = product.prepare(x, 0)
    rounded = weight.abs().amax(1, keepdim=True) / int8.weight_steps()
    values = (x / prepared.scale).round().clamp(-128, 127) * prepared.scale
    meant = values @ ((weight / rounded).round() * rounded).T + bias
    meant = meant if product.activation is None else product.activation(meant)
    torch.testing.assert_close(product(prepared), meant, atol=2e-5, rtol=2e-5)
    residual = torch.randn(7, 24)
    if hidden_act is None:
        torch.testing.assert_close(product.add(prepared, residual.clone()), meant + residual, atol=2e-5, rtol=2e-5)


def test_bytes_for_the_next_product_are_those_of_a_float_output():
    torch.manual_seed(0)
    first = OneDNNProduct(torch.randn(32, 16) * 0.3, torch.randn(32), torch.float32, [4.0], "gelu_new")
    second = OneDNNProduct(torch.randn(8, 32), torch.zeros(8), torch.float32, [3.0])
    x = first.prepare(torch.randn(9, 16), 0)
    direct, prepared = first.feed(x, second, 0), second.prepare(first(x), 0)
    assert direct.scale == prepared.scale == pytest.approx(3 / 127)
    assert (direct.values.int() - prepared.values.int()).abs().max() <= 1


def test_gelu_by_the_sigmoid_is_gelu_by_tanh():
    x = torch.cat([torch.linspace(-12, 12, 4001), torch.tensor([0.0, -0.0, 1e-30, -100.0, 100.0, 1e4, -1e4])])
    torch.testing.assert_close(products.tanh_gelu(x), functional.gelu(x, approximate="tanh"), atol=1e-6, rtol=1e-6)


def test_smoothing_leaves_a_product_as_it_is_but_for_rounding(kind):
    torch.manual_seed(0)
    weight, bias, x = torch.randn(24, 40), torch.randn(24), torch.randn(50, 40)
    x[:, 3] *= 60  # an outlier
    exact = functional.linear(x, weight, bias)
    divisor = torch.ones(40)
    divisor[3] = 8.0
    plain, smooth = (kind(weight, bias, torch.float32, ["token"], smoothing=one) for one in (None, divisor))
    errors = [(product(product.prepare(x, 0)) - exact).abs().mean() for product in (plain, smooth)]
    assert errors[1] < 0.5 * errors[0]


def test_a_product_that_stays_in_float_is_exact(kind):
    torch.manual_seed(0)
    weight, bias, x = torch.randn(24, 40), torch.randn(24), torch.randn(5, 40)
    product = kind(weight, bias, torch.float32, ["token", "float"], smoothing=torch.full((40,), 2.0))
    torch.testing.assert_close(product(product.prepare(x, 1)), functional.linear(x, weight, bias))


def test_the_largest_bytes_do_not_clip_here():
    steps = int8.weight_steps()
    weight = torch.full((16, 64), steps, dtype=torch.int8)
    values = torch.full((3, 64), 255, dtype=torch.uint8)
    packed = private_api.pack_for_onednn(weight)
    found = [private_api.onednn_linear(values, 1.0, 0, packed, torch.ones(16), None, torch.float32)]
    if private_api.has_fbgemm():
        packed = private_api.pack_for_fbgemm(weight, torch.ones(16), None)
        found.append(private_api.fbgemm_linear(values.float(), 1.0, 0, packed))
    for one in found:
        assert (one == 255 * steps * 64).all()


def test_the_products_are_those_that_are_fastest_on_this_cpu(monkeypatch):
    for steps, has_fbgemm, expected in [
        (63, True, FBGEMMProduct),
        (63, False, OneDNNProduct),
        (127, True, OneDNNProduct),
    ]:
        monkeypatch.setattr(int8, "weight_steps", lambda steps=steps: steps)
        monkeypatch.setattr(private_api, "has_fbgemm", lambda has=has_fbgemm: has)
        assert int8.fastest_product.__wrapped__() is expected


def test_packing_for_fbgemm_leaves_the_engine_of_quantised_tensors_as_it_was_and_warns_of_nothing(recwarn):
    if not private_api.has_fbgemm():
        pytest.skip("This build of PyTorch has no FBGEMM.")
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "onednn"
    try:
        product = FBGEMMProduct(torch.randn(8, 16), torch.zeros(8), torch.float32, [3.0])
        assert torch.backends.quantized.engine == "onednn"
        assert product(product.prepare(torch.randn(2, 16), 0)).shape == (2, 8)
    finally:
        torch.backends.quantized.engine = before
    assert not recwarn.list


def test_a_precision_that_there_is_none_of_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="fp32, bf16, int8"):
        compiled(precision="int4")


def test_auto_is_one_of_the_precisions_and_says_which(caplog):
    chosen = precisions.require_precision("auto", torch.device("cpu"))
    assert chosen in PRECISIONS
    assert f"computed in {chosen}" in caplog.text


def test_where_there_is_no_int8_a_quantized_model_answers_in_fp32_and_int8_is_refused(monkeypatch):
    monkeypatch.setattr(private_api, "has_int8_products", lambda: False)
    cpu = torch.device("cpu")
    assert precisions.usual(cpu, is_quantized=True) == "fp32"
    assert precisions.fastest() != "int8"
    with pytest.raises(InputError, match="one of fp32, bf16, or auto"):
        precisions.require_precision("int8", cpu)


def test_all_hidden_states_come_from_the_float_path_in_every_precision():
    config = longer()
    tensors = random_tensors(config, "Model")
    model = Torch().build("Model", config, tensors)
    given = {name: torch.from_numpy(array) for name, array in padded(rows(config)).arguments().items()}
    expected = model(**given, output_hidden_states=True, output_attentions=True)
    make = int8.int8_products(torch.float32, config.hidden_act, per_token(config))
    with torch.inference_mode():
        model.encoder = packed_encoder.PackedEncoder(model.encoder, config, make)
        found = model(**given, output_hidden_states=True, output_attentions=True)
    for one, other in zip(expected.hidden_states, found.hidden_states, strict=True):
        torch.testing.assert_close(one, other)
    assert len(found.attentions) == len(expected.attentions)
