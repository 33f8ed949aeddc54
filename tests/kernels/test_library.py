import ctypes

import pytest

from albertkit.kernels import library


@pytest.fixture(autouse=True)
def _forgotten():
    """What is found is kept for a process: found again in each test, and after the last."""
    caches = library.load, library.has_precision
    for one in caches:
        one.cache_clear()
    yield
    for one in caches:
        one.cache_clear()


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv(library.SWITCH, "0")
    assert library.load() is None
    assert not any(library.has_precision(one) for one in library.PRECISIONS)


@pytest.mark.parametrize("kind", ["none", "damaged"])
def test_without_a_library_there_are_no_precisions(monkeypatch, tmp_path, kind):
    file = tmp_path / "libalbertkit.so"
    if kind == "damaged":
        file.write_bytes(b"not a library")
    monkeypatch.setattr(library, "_FILE", file)
    assert library.load() is None
    assert not library.has_precision("fp32")


def test_the_processor_is_asked_by_the_number_of_a_precision(monkeypatch):
    class Library:
        def albertkit_has_precision(self, number):
            return ctypes.c_int32(number == 1).value

    monkeypatch.setattr(library, "load", Library)
    assert [library.has_precision(one) for one in library.PRECISIONS] == [False, True, False]


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
