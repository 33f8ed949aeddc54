import ctypes

import pytest

from albertkit.errors import InputError
from albertkit.kernels import library


@pytest.fixture(autouse=True)
def _forgotten():
    """What is found is kept for a process: found again in each test, and after the last."""
    caches = library.load, library.levels
    for one in caches:
        one.cache_clear()
    yield
    for one in caches:
        one.cache_clear()


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv(library.SWITCH, "0")
    assert library.load() is None
    assert not any(library.has_precision(one) for one in library.PRECISIONS)
    assert library.fastest() == {}
    assert library.description() == "There is no compiled encoder here."


@pytest.mark.parametrize("kind", ["none", "damaged"])
def test_without_a_library_there_are_no_precisions(monkeypatch, tmp_path, caplog, kind):
    file = tmp_path / "libalbertkit.so"
    if kind == "damaged":
        file.write_bytes(b"not a library")
    monkeypatch.setattr(library, "_FILE", file)
    assert library.load() is None
    assert not library.has_precision("fp32")
    told = [one for one in caplog.messages if "cannot be loaded" in one and "Install albertkit again." in one]
    assert len(told) == (kind == "damaged")


class Everything:
    """A processor that has all levels in all precisions but bf16, which it has with AVX-512 alone."""

    def albertkit_has_precision(self, level, number):
        return ctypes.c_int32(number != 1 or level == 2).value


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("", ("avx512", "avx2_vnni", "avx2")),
        ("1", ("avx512", "avx2_vnni", "avx2")),
        ("avx512", ("avx512", "avx2_vnni", "avx2")),
        ("avx2_vnni", ("avx2_vnni", "avx2")),
        ("avx2", ("avx2",)),
    ],
)
def test_the_fastest_level_comes_first_and_none_is_faster_than_is_allowed(monkeypatch, value, allowed):
    monkeypatch.setattr(library, "load", Everything)
    monkeypatch.setenv(library.SWITCH, value)
    assert library.levels("fp32") == library.levels("int8") == allowed
    assert library.levels("bf16") == tuple(one for one in allowed if one == "avx512")
    assert library.has_precision("bf16") == library.can_train("fp32") == ("avx512" in allowed)
    assert library.fastest()["int8"] == allowed[0]
    assert f"int8 with {allowed[0]}" in library.description()


@pytest.mark.parametrize(("value", "levels"), [("", ()), ("avx512", ()), ("avx2", ("avx2",))])
def test_int8_with_avx512_but_without_vnni_is_left_to_others_unless_avx2_is_asked_for(monkeypatch, value, levels):
    class OfSkylake:
        def albertkit_has_precision(self, level, number):
            return int((level, number) in {(0, 0), (0, 2), (2, 0)})

    monkeypatch.setattr(library, "load", OfSkylake)
    monkeypatch.setenv(library.SWITCH, value)
    assert library.levels("int8") == levels
    assert library.levels("fp32")[-1] == "avx2"


def test_a_level_that_there_is_not_is_an_error_with_the_way_out(monkeypatch):
    monkeypatch.setattr(library, "load", Everything)
    monkeypatch.setenv(library.SWITCH, "sse")
    with pytest.raises(InputError, match=r"ALBERTKIT_KERNELS must be 0.*avx2, avx2_vnni, avx512.*Received: 'sse'"):
        library.levels("fp32")


@pytest.mark.parametrize("version", [None, library.VERSION - 1])
def test_a_library_of_other_sources_is_refused_with_the_way_out(monkeypatch, caplog, version):
    kind = type("Other", (), {} if version is None else {"albertkit_version": lambda self: version})
    monkeypatch.setattr(ctypes, "CDLL", lambda path: kind())
    assert library.load() is None
    assert "is of another version of albertkit and is not used" in caplog.text
    assert "Install albertkit again." in caplog.text


def test_both_sides_state_the_same_version():
    header = library._FILE.with_name("model.h").read_text()
    assert f"constexpr int32_t VERSION = {library.VERSION};" in header
