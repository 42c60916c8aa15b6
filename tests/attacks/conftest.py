"""Attacks from outside: each has a time limit, so that what hangs has failed."""

import faulthandler

import pytest

LIMIT_S = 120  # of one test, a hundred times what most need; those that try often have more


@pytest.fixture(autouse=True)
def _time_limit(request):
    """End the process, with the stack of each thread, if a test takes too long: nothing else ends every hang."""
    faulthandler.dump_traceback_later(
        LIMIT_S if request.node.get_closest_marker("slow") is None else 30 * LIMIT_S, exit=True
    )
    yield
    faulthandler.cancel_dump_traceback_later()
