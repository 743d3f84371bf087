"""A deployment with a release, and a server of it in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from end_to_end.network import fresh
from service.at_work import Caller, in_thread, prepare


@dataclass
class Place:
    """What the tests are about."""

    folder: Path
    deployment: Deployment
    release: str
    ask: Caller


@pytest.fixture
def place() -> Iterator[Place]:
    with fresh() as (folder, deployment):
        release = prepare(folder, deployment)
        with in_thread(deployment) as ask:
            yield Place(folder, deployment, release, ask)
