"""What tests of crashes share."""

import multiprocessing
from collections.abc import Iterator
from multiprocessing import forkserver

import pytest

PRELOAD = ["intercom_nb", "pytest", "openai.resources.responses.responses", "anyio._backends._asyncio"]


@pytest.fixture(scope="module")
def nursery() -> Iterator[multiprocessing.context.ForkServerContext]:
    """Give a server that forks processes which have imported the package already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    yield context
    forkserver._forkserver._stop()
