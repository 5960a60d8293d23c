"""No test reaches the internet, nor the networks and projects of the person who runs it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares its preparations in one process when tests run in several: a file, and all that is browsed.

    One browser at a time also leaves it the time its tests wait for.
    """
    for item in items:
        browsed = item.path.parent.name == "browser"
        item.add_marker(pytest.mark.xdist_group("browser" if browsed else item.path.name))


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
