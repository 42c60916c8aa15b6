"""Functions that hear of every message: called on the service's own loop, in order."""

import logging
from collections.abc import Callable

from intercom_nb.messages import Message
from intercom_nb.runs.runtime import Runtime

__all__ = ["Listeners"]

_LOGGER = logging.getLogger(__name__)


class Listeners:
    """Who hears of the messages of one service."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._calls: list[Callable[[Message], object]] = []

    def add(self, call: Callable[[Message], object]) -> Callable[[], None]:
        """Call a function with every message accepted from now on; return the function that ends this."""
        self._calls.append(call)
        return lambda: self._calls.remove(call) if call in self._calls else None

    def tell(self, message: Message) -> None:
        """Tell everybody who listens of a message, soon."""
        if self._calls:
            self._runtime.call_soon(self._tell_all, message)

    def _tell_all(self, message: Message) -> None:
        for call in list(self._calls):
            try:
                call(message)
            except BaseException:  # somebody else's code must not end the loop all agents share
                _LOGGER.exception("a subscriber failed on %s", message.id)
