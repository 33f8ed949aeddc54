"""The encoder in training by the compiled library: states and gradients of the network's own layers."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from albertkit.errors import InputError  # noqa: E402
from albertkit.kernels import library  # noqa: E402
from albertkit.torch import compiled_training  # noqa: E402
from albertkit.torch.encoder import AlbertTransformer  # noqa: E402
from albertkit.torch.packed_sequences import PackedSequences  # noqa: E402
from frameworks.common import small  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not library.can_train("fp32"), reason="has no compiled library"),
]

NEEDS_BF16 = pytest.mark.skipif(not library.can_train("bf16"), reason="has no bfloat16")
GROUPS = ((2, 37), (1, 5), (3, 64), (1, 130), (2, 1))
TOKENS = sum(count * length for count, length in GROUPS)
FIRST = [0, 37, 74, 79, 143, 207, 271, 401, 402]
"""Of each sequence of GROUPS."""
WANTED = {
    "all": (None, False),
    "some": ([3, 3, 10, 50, 100, 200, 299], False),
    "in no order": ([299, 5, 3, 100], False),
    "first": (FIRST, True),
    "none": ([], False),
    "one of them more often than there are tokens": ([3, *[250] * 500], False),
}


def encoder(**changes):
    sizes = {"embedding_size": 32, "hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 96}
    torch.manual_seed(0)
    made = AlbertTransformer(small(**{**sizes, "num_hidden_layers": 3, "hidden_dropout_prob": 0.0, **changes}))
    for name, parameter in made.named_parameters():
        is_scale = name.lower().endswith("norm.weight")
        nn.init.normal_(parameter, mean=float(is_scale), std=0.1 if parameter.dim() > 1 else 0.2)
    return made


def sequences(wanted="all", groups=GROUPS):
    places, is_first = WANTED[wanted]
    return PackedSequences(groups, None if places is None else torch.tensor(places, dtype=torch.int64), is_first)


def embedded(tokens=TOKENS, width=32):
    return torch.randn(1, tokens, width, generator=torch.Generator().manual_seed(1))


def weighed(states):
    """A number that every state adds to in its own way."""
    return (states * torch.randn(states.shape, generator=torch.Generator().manual_seed(2))).sum()


def results(model, packed, given=None, bf16=False):
    """States, and the gradients of embeddings and weights by name."""
    given = (embedded() if given is None else given).clone().requires_grad_()
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        states = model(given, packed).last_hidden_state
    weighed(states.float()).backward()
    gradients = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    return {"states": states.detach(), "embeddings": given.grad, **gradients}


def without_library(model, *arguments, **options):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compiled_training, "can_train", lambda *arguments: False)
        return results(model, *arguments, **options)


def require_near(found, wanted, tolerance):
    """Nothing is further off than that share of its norm. A key's bias changes nothing, so its gradient is rounding."""
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        of = values if not name.endswith("key.bias") else wanted[name.replace("key", "value")]
        off = (found[name].float() - values).norm()
        assert off <= tolerance * of.norm(), (name, off)


@pytest.fixture
def calls(monkeypatch):
    """How often the library is given an encoder."""
    counted = []
    encode = compiled_training.encode
    monkeypatch.setattr(compiled_training, "encode", lambda *arguments: counted.append(1) or encode(*arguments))
    return counted


@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize("activation", ["gelu_new", "gelu", "relu"])
def test_states_and_gradients_are_those_of_the_layers(activation, wanted, calls):
    model = encoder(hidden_act=activation)
    require_near(results(model, sequences(wanted)), without_library(model, sequences(wanted)), 2e-5)
    assert len(calls) == 1


@NEEDS_BF16
@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize("activation", ["gelu_new", "gelu"])
def test_in_bfloat16_they_are_nearer_than_those_of_autocast(activation, wanted, calls):
    model = encoder(hidden_act=activation)
    exact = without_library(model, sequences(wanted))
    found = results(model, sequences(wanted), bf16=True)
    assert found["states"].dtype == torch.float32
    require_near(found, exact, 3e-2)
    cast = without_library(model, sequences(wanted), bf16=True)
    for name in ("states", "embeddings", "albert_layer_groups.0.albert_layers.0.attention.query.weight"):
        off, usual = ((one[name].float() - exact[name]).norm() for one in (found, cast))
        assert off <= 1.1 * usual, name
    assert len(calls) == 1


@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=NEEDS_BF16)])
def test_more_rows_than_are_added_up_at_once_and_long_sequences(precision):
    groups = ((9, 128), (1, 511), (7, 1))
    model = encoder(hidden_size=128, num_attention_heads=4, intermediate_size=256, embedding_size=64)
    given = embedded(9 * 128 + 511 + 7, 64)
    exact = without_library(model, PackedSequences(groups), given)
    found = results(model, PackedSequences(groups), given, precision == "bf16")
    require_near(found, exact, 3e-2 if precision == "bf16" else 2e-5)


@pytest.mark.parametrize("layers", [1, 4])
@pytest.mark.parametrize("wanted", ["all", "first"])
def test_groups_and_inner_layers(layers, wanted):
    model = encoder(num_hidden_layers=layers, num_hidden_groups=2 if layers > 1 else 1, inner_group_num=2)
    require_near(results(model, sequences(wanted)), without_library(model, sequences(wanted)), 2e-5)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("wanted", WANTED)
def test_threads_change_sums_of_norms_alone(wanted, threads):
    model = encoder()
    threads(1)
    alone = results(model, sequences(wanted))
    threads(8)  # more than there are cores, as a rule, so that some are late
    for _ in range(5):
        together = results(model, sequences(wanted))
        for name, values in alone.items():
            if "norm" in name.lower():
                torch.testing.assert_close(together[name], values, rtol=1e-4, atol=1e-4)
            else:
                assert torch.equal(together[name], values), name


def test_two_passes_before_the_way_back():
    """What the first keeps is not overwritten by the second."""
    model = encoder()
    inputs = [embedded(), 2 * embedded()]
    wanted = {}
    for given in inputs:
        for name, gradient in without_library(model, sequences(), given).items():
            wanted[name] = wanted.get(name, 0) + gradient
    model.zero_grad()
    outputs = [model(given, sequences()).last_hidden_state for given in inputs]
    sum(weighed(states) for states in outputs).backward()
    found = {name: one.grad for name, one in model.named_parameters()}
    require_near(found, {name: wanted[name] for name in found}, 2e-5)


def test_two_threads_at_once(threads):
    """One of them has the workers, and none the memory of the other."""
    threads(2)
    model = encoder()

    def found(number):
        given = (number * embedded()).requires_grad_()
        for _ in range(10):
            (gradient,) = torch.autograd.grad(weighed(model(given, sequences("some")).last_hidden_state), given)
        return gradient

    alone = [found(number) for number in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(found, (1, 2)))
    assert all(map(torch.equal, alone, together))


def test_a_graph_that_is_kept_can_be_gone_back_twice():
    model = encoder()
    loss = weighed(model(embedded(), sequences()).last_hidden_state)
    loss.backward(retain_graph=True)
    once = {name: one.grad.clone() for name, one in model.named_parameters()}
    model(embedded(), sequences())  # might take the memory
    loss.backward()
    for name, one in model.named_parameters():
        torch.testing.assert_close(one.grad, 2 * once[name])


def test_a_graph_that_is_not_kept_cannot():
    loss = weighed(encoder()(embedded(), sequences()).last_hidden_state)
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_weights_that_change_before_the_way_back_are_an_error():
    model = encoder()
    loss = weighed(model(embedded(), sequences()).last_hidden_state)
    with torch.no_grad():
        model.embedding_hidden_mapping_in.weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_frozen_weights_get_no_gradient_and_the_others_theirs():
    model = encoder()
    whole = results(model, sequences())
    layer = layer_of(model)
    for frozen in (layer.ffn, layer.attention.LayerNorm, layer.attention.key, model.embedding_hidden_mapping_in):
        frozen.requires_grad_(False)
    found = results(model, sequences())
    assert len(whole) - len(found) == 8
    for name, values in found.items():
        torch.testing.assert_close(values, whole[name])


@pytest.mark.parametrize("trained", ["query", "value", "ffn", "ffn_output"])
def test_threads_wait_for_each_other_where_little_is_trained(trained, threads):
    """Gradients of other weights, which are left out then, are where they would meet."""
    threads(3)
    model = encoder()
    whole = results(model, sequences())
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(f".{trained}." in name)
    for _ in range(5):
        found = results(model, sequences())
        assert len(found) == 4, "states, embeddings, weight and bias"
        for name, values in found.items():
            assert torch.equal(values, whole[name]), name


def test_memory_of_steps_is_let_go_where_training_ends():
    model = encoder()
    results(model, sequences())
    assert model._memory._free
    with torch.no_grad():
        model.eval()(embedded(), sequences())
    assert not model._memory._free


@pytest.mark.parametrize("wanted", WANTED)
def test_without_gradients_states_are_the_same(wanted, threads):
    threads(3)
    model = encoder()
    states = model(embedded(), sequences(wanted)).last_hidden_state
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert torch.equal(model.eval()(embedded(), sequences(wanted)).last_hidden_state, states)


@pytest.mark.parametrize("bf16", [False, pytest.param(True, marks=NEEDS_BF16)])
@pytest.mark.parametrize("activation", ["gelu_new", "gelu", "relu"])
def test_a_weight_that_is_no_number_shows(activation, bf16):
    """It must not be lost in a maximum or limit, for a step whose loss is not finite is skipped."""
    for name in [name for name, _ in encoder().named_parameters() if not name.endswith("key.bias")]:
        model = encoder(hidden_act=activation, num_hidden_layers=1)
        parameter = model.get_parameter(name)
        parameter.data.flatten()[0] = torch.nan
        found = results(model, sequences(), bf16=bf16)
        assert found["states"].isnan().any(), name


def test_a_gradient_that_is_infinite_shows():
    model = encoder()
    states = model(embedded(), sequences()).last_hidden_state
    (states.sum() * torch.inf).backward()
    assert not any(one.grad.isfinite().all() for name, one in model.named_parameters() if name.endswith("weight"))


def test_weights_with_two_names(calls):
    def tied():
        model = encoder(num_hidden_layers=2, num_hidden_groups=2)
        first, second = (group.albert_layers[0] for group in model.albert_layer_groups)
        second.ffn = first.ffn
        second.attention.key.weight = first.attention.query.weight
        return model

    require_near(results(tied(), sequences()), without_library(tied(), sequences()), 2e-5)
    assert len(calls) == 1


def test_create_graph_gives_the_first_derivatives_alone():
    model = encoder()
    given = embedded().requires_grad_()
    (found,) = torch.autograd.grad(model(given, sequences()).last_hidden_state.square().sum(), given, create_graph=True)
    torch.testing.assert_close(
        found, torch.autograd.grad(model(given, sequences()).last_hidden_state.square().sum(), given)[0]
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        found.sum().backward()


def test_functions_of_torch_func_follow_the_layers(calls):
    model = encoder()

    def loss(given):
        return weighed(model(given, sequences()).last_hidden_state)

    torch.testing.assert_close(torch.func.grad(loss)(embedded()), results(model, sequences())["embeddings"])
    assert len(calls) == 1, "the second alone"


@pytest.mark.parametrize("wanted", ["all", "some"])
def test_what_is_kept_may_lie_elsewhere_on_the_way_back(wanted):
    """As where PyTorch is asked to keep tensors of the forward pass in another place."""
    model = encoder()
    before = results(model, sequences(wanted))
    with torch.autograd.graph.saved_tensors_hooks(torch.clone, torch.clone):
        after = results(model, sequences(wanted))
    for name, values in before.items():
        assert torch.equal(after[name], values), name


def test_weights_may_lie_elsewhere_on_the_way_back():
    """FSDP frees their storage behind the forward pass, and fills it again before the other."""
    model = encoder()
    before = results(model, sequences())
    given = embedded().requires_grad_()
    model.zero_grad()
    loss = weighed(model(given, sequences()).last_hidden_state)
    held = []
    for parameter in model.parameters():
        storage, values = parameter.untyped_storage(), parameter.detach().clone()
        storage.resize_(0)
        held.append(torch.full_like(values, torch.nan))  # likely where they were
        storage.resize_(values.nbytes)
        with torch.autograd._unsafe_preserve_version_counter(parameter):
            parameter.detach().copy_(values)
    loss.backward()
    assert torch.equal(given.grad, before["embeddings"])
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter.grad, before[name]), name


@pytest.mark.parametrize("given", [embedded(TOKENS - 1), embedded(TOKENS + 1), embedded(width=64)])
def test_embeddings_of_other_sequences_or_widths_are_an_error(given):
    with pytest.raises((ValueError, RuntimeError), match=r"must have the shape|cannot be multiplied"):
        encoder()(given, sequences())


@pytest.mark.parametrize("place", [-1, TOKENS])
def test_wanted_tokens_that_there_are_not_are_an_error(place):
    with pytest.raises(InputError, match=rf"must lie in 0\.\.{TOKENS - 1}"):
        encoder()(embedded(), PackedSequences(GROUPS, torch.tensor([0, 5, place])))


def layer_of(model):
    return model.albert_layer_groups[0].albert_layers[0]


def prune(model):
    layer_of(model).ffn, layer_of(model).ffn_output = nn.Linear(64, 32), nn.Linear(32, 64)


def patch(model):
    layer = layer_of(model).ffn
    layer.forward = lambda x: nn.functional.linear(x, 2 * layer.weight, layer.bias)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: setattr(layer_of(model).dropout, "p", 0.1),
        lambda model: layer_of(model).ffn.register_forward_hook(lambda *given: None),
        lambda model: setattr(layer_of(model), "ffn", nn.Sequential(nn.Linear(64, 96))),
        lambda model: setattr(layer_of(model).attention.LayerNorm, "eps", 0.1),
        prune,
        patch,
        lambda model: setattr(model, "gradient_checkpointing", True),
        lambda model: model.double(),
        lambda model: nn.utils.parametrizations.weight_norm(layer_of(model).ffn),
    ],
    ids=["dropout", "hook", "replaced", "epsilon", "pruned", "patched", "checkpointing", "double", "parametrized"],
)
def test_an_encoder_that_is_not_the_usual_one_computes_by_its_layers(change, calls):
    model = encoder()
    change(model)
    given = embedded().to(next(model.parameters()).dtype)
    weighed(model(given, sequences()).last_hidden_state).backward()
    assert not calls


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301
def test_copies_train_too(copied, calls):
    model = encoder()
    before = results(model, sequences())
    after = results(copied(model), sequences())
    for name, values in before.items():
        torch.testing.assert_close(after[name], values)
    assert len(calls) == 2
