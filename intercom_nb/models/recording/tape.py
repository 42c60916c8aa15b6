"""A tape: what the runs of a service tell whoever records or plays them."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from intercom_nb.models.values import Answer, Request

__all__ = ["ALL_MAIL", "Tape"]

ALL_MAIL = sys.maxsize
"""More messages than wait for anybody."""


class Tape:
    """A service that records and plays nothing."""

    model: str | None = None
    live = True  # whether models are called
    fence = ""  # the key of the marks that fence messages, where a recording says it
    fault = ""  # how what is played differs from what was recorded

    def rest(self) -> str:
        """Return what of a recording was not asked for, in words; empty if it all was."""
        return ""

    def taking(self, agent_id: str) -> AbstractAsyncContextManager[int]:
        """Enclose the taking of mail; gives how many messages may be taken."""
        del agent_id
        return nullcontext(ALL_MAIL)

    def committing(self, agent_id: str) -> AbstractAsyncContextManager[None]:
        """Enclose the commit of a step, until it is durable."""
        del agent_id
        return nullcontext()

    async def answer(self, request: Request, ask: Callable[[Request], Awaitable[Answer]]) -> Answer:
        """Return the answer to a request; `ask` asks the model."""
        return await ask(request)

    def compacts(self, agent_id: str, *, able: bool) -> bool:
        """Return whether a conversation is to be compacted by its server, given whether that is able to."""
        del agent_id
        return able
