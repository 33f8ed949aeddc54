"""Every test here runs once a framework; one whose framework is absent skips itself."""

import pytest

from frameworks.rooms import ROOMS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "room" in metafunc.fixturenames:
        marked = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ROOMS]
        metafunc.parametrize("room", marked, indirect=True)


@pytest.fixture
def room(request):
    return ROOMS[request.param]()
