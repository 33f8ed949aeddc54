"""Every test here runs once a framework; one whose framework is absent skips itself."""

import pytest

from frameworks.adapters import ADAPTERS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "adapter" in metafunc.fixturenames:
        marked = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ADAPTERS]
        metafunc.parametrize("adapter", marked, indirect=True)


@pytest.fixture
def adapter(request):
    return ADAPTERS[request.param]()
