"""Attacks from outside: each has a time limit, so that what hangs has failed."""

import faulthandler

import pytest

from counts import times

LIMIT_S = 120  # of one test: far more than any needs, so that a busy machine is no attack


@pytest.fixture(autouse=True)
def _time_limit():
    """End the process, with the stack of each thread, if a test takes too long: nothing else ends every hang."""
    faulthandler.dump_traceback_later(LIMIT_S * times(1), exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
