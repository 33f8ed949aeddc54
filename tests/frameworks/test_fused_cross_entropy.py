"""The loss over the vocabulary of PyTorch's training: cross-entropy, piece by piece."""

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from albertkit.kernels import library  # noqa: E402
from albertkit.torch import fused_cross_entropy  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(params=["PyTorch", "library"], autouse=True)
def _by(request, monkeypatch):
    """By either of the two that find losses."""
    if request.param == "PyTorch":
        monkeypatch.setattr(library, "can_train", lambda precision: False)
    elif not library.can_train("fp32"):
        pytest.skip("has no compiled library")


V, E = 37, 8


def given(masked):
    generator = torch.Generator().manual_seed(masked)
    shapes = (masked, E), (V, E), (V,)
    states, weight, bias = (torch.randn(shape, generator=generator).requires_grad_() for shape in shapes)
    return (states, weight, bias), torch.randint(V, (masked,), generator=generator)


def plain(states, weight, bias, labels):
    return functional.cross_entropy(functional.linear(states, weight, bias).float(), labels, reduction="sum")


@pytest.mark.parametrize("piece", [1, 5 * V, 2**21])
@pytest.mark.parametrize("masked", [0, 1, 5, 12])
def test_loss_and_gradients_are_those_of_cross_entropy(monkeypatch, piece, masked):
    monkeypatch.setattr(fused_cross_entropy, "BLOCK_SIZE", piece)
    arrays, labels = given(masked)
    loss, expected = (function(*arrays, labels) for function in (fused_cross_entropy.summed_loss, plain))
    torch.testing.assert_close(loss, expected)
    found, wanted = (torch.autograd.grad(3 * each, arrays) for each in (loss, expected))
    torch.testing.assert_close(found, wanted)


def test_a_far_fetched_label_costs_what_it_should():
    """Its probability is 0 in float32, but not its loss infinite."""
    arrays, labels = given(3)
    scaled = 100 * arrays[0], arrays[1], arrays[2]
    loss = fused_cross_entropy.summed_loss(*scaled, labels)
    assert loss > 300
    torch.testing.assert_close(loss, plain(*scaled, labels))


def test_half_precision_keeps_losses_and_gradients_in_that_of_the_weights():
    arrays, labels = given(12)
    with torch.autocast("cpu", torch.bfloat16):
        loss, expected = (function(*arrays, labels) for function in (fused_cross_entropy.summed_loss, plain))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=1e-3, atol=1e-3)
    found, wanted = (torch.autograd.grad(each, arrays) for each in (loss, expected))
    assert [one.dtype for one in found] == [torch.float32] * 3
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).abs().max() <= 2e-2 * other.abs().max()


@pytest.mark.parametrize("label", [-100, -1, V])
def test_a_label_that_is_no_class_is_an_error(label):
    arrays, labels = given(3)
    labels[1] = label
    with pytest.raises((ValueError, RuntimeError), match=r"must lie in 0\.\.36|out of bounds"):
        fused_cross_entropy.summed_loss(*arrays, labels)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("bf16", [False, True])
def test_a_score_that_is_not_finite_shows(bf16, value):
    """Also where it is that of another class than the label."""
    arrays, labels = given(3)
    arrays[2].data[0] = value
    labels[:] = 5
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = fused_cross_entropy.summed_loss(*arrays, labels)
    assert not loss.isfinite()
    assert not any(one.isfinite().all() for one in torch.autograd.grad(loss, arrays))


def test_it_has_first_derivatives_only():
    arrays, labels = given(3)
    (found, *_) = torch.autograd.grad(fused_cross_entropy.summed_loss(*arrays, labels), arrays, create_graph=True)
    with pytest.raises(RuntimeError, match=r"once_differentiable|does not require grad"):
        found.sum().backward()
