"""A double of Ollama for each test."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from demo.ollama import Behaviour, create_app


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def ollama(behaviour: Behaviour) -> Iterator[TestClient]:
    with TestClient(create_app(behaviour=behaviour)) as client:
        yield client
