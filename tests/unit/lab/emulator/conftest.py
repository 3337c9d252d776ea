"""The lab's AWS APIs in the tests' own process: boto3 clients without a socket between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from emulator_world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One emulator with every mend; each test names what it makes for itself."""
    world = World(tmp_path_factory.mktemp("emulator"))
    try:
        yield world
    finally:
        world.close()
