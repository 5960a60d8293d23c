"""No test reaches the internet, nor the networks and projects of the person who runs it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from resting import lasting_trainers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless it is asked for."""
    if os.environ.get("TEACHABLE_THOROUGH") == "1":
        return
    skipped = pytest.mark.skip(reason="takes long; TEACHABLE_THOROUGH=1 runs it")
    for item in items:
        if item.get_closest_marker("thorough"):
            item.add_marker(skipped)


@pytest.fixture(scope="session", autouse=True)
def _away_from_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Programs that tests start inherit this too; who wants to fetch from a server of its own says so."""
    with pytest.MonkeyPatch.context() as patch:
        home: Path = tmp_path_factory.mktemp("no-home")
        patch.setenv("TEACHABLE_HOME", str(home))
        patch.setenv("TEACHABLE_OFFLINE", "1")
        for name in ("TEACHABLE_NETWORKS", "TEACHABLE_WEIGHTS_URL"):
            patch.delenv(name, raising=False)
        yield
        assert os.environ["TEACHABLE_HOME"] == str(home)


@pytest.fixture(scope="session", autouse=True)
def _lasting_trainers(_away_from_home: None) -> Iterator[None]:
    with lasting_trainers():
        yield
