"""When a conversation nears its context budget, its oldest turns are replaced by something shorter.

By what its server makes of them (``responses.compact``, OpenAI's own), else by a summary that the same model writes,
else by nothing but a remark. The cut is always where a turn begins, so every tool call stays with its output. The log
keeps every item and says which of them were replaced, and by what.
"""

import re
from collections.abc import Callable

from intercom_nb.errors import ModelError
from intercom_nb.messages import Item
from intercom_nb.models import Origin, Reply, Tape
from intercom_nb.models.price_list import context_window
from intercom_nb.runs.agent_state import AgentState, Run
from intercom_nb.runs.budget import BYTES_PER_TOKEN, Budget
from intercom_nb.runs.conversations import Conversations, size_of
from intercom_nb.texts.turns import turn_text

__all__ = ["Compaction", "is_too_long"]

_SHARE = 0.6  # of a model's window: what it writes, and a long turn, need the rest
_KEPT = 0.25  # of the budget: the newest turns, which stay as they are
_ASK = (
    "The earlier part of this conversation is about to be removed to save room. Write down, as a note to yourself, "
    "what you will need from it: what you were asked and by whom (with their ids), what was decided and found out, "
    "what you promised, what is still open. Facts, names, ids and numbers first; no tool calls."
)
_SUMMARY = "What happened before, as you noted it down (the earlier turns are no longer shown):\n\n{}"
_DROPPED = "The earlier turns of this conversation are no longer shown, to save room."

# How servers say that a request is too long: OpenAI and vLLM, llama.cpp, Ollama and LM Studio, Gemini, Bedrock, TGI.
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|ContextWindowExceeded|string_above_max_length"
    r"|(maximum|max|available|model'?s?|exceeds?( the)?) context (length|size|window)"
    r"|context (length|window|size)( of)?[^.]{0,60}(exceed|overflow|only \d)"
    r"|(longer than|exceeds?)[^.]{0,40}(maximum (model|context|input) length|context|maximum number of tokens)"
    r"|(prompt|input|request|message\w*)( is| are)? too (long|large)"
    r"|too many (input )?tokens|reduce the length of the (messages|input|prompt)"
    r"|too large for model with \d+ maximum context|inputs.{0,5} tokens \+ .{0,5}max_new_tokens",
    re.IGNORECASE,
)
_NEVER_TOO_LONG = {401, 403, 404, 429}


def is_too_long(error: ModelError) -> bool:
    """Tell whether a model call failed because its request did not fit into the model's window.

    Examples
    --------
    >>> is_too_long(ModelError("HTTP 400: This model's maximum context length is 4096 tokens", status=400))
    True
    >>> is_too_long(ModelError("HTTP 429: too many tokens per minute", status=429))
    False
    """
    return error.status not in _NEVER_TOO_LONG and _TOO_LONG.search(str(error)) is not None


class Compaction:
    """Decides when and where a conversation is cut, and asks for what takes the place of what is cut off."""

    def __init__(
        self, conversations: Conversations, budget: Budget, tape: Tape, context: Callable[[], int | None]
    ) -> None:
        self._conversations = conversations
        self._budget = budget
        self._tape = tape
        self._context = context

    def limit(self, state: AgentState, run: Run) -> int:
        """Return how many tokens a request of this agent may have before its conversation is compacted."""
        given = state.agent.spec.context or self._context()
        if given is None:
            # A stand-in is in no list, and to look into it for the first time takes a tenth of a second.
            given = int(_SHARE * context_window("" if run.model.is_stand_in else run.model.name))
        return min(given, state.most_tokens or given)

    def is_due(self, state: AgentState, run: Run) -> bool:
        """Tell whether a conversation is to be compacted before the next call."""
        return self._budget.tokens_of(state, run) > self.limit(state, run) and self.cut(state, run) > 0

    def learn(self, state: AgentState, run: Run) -> None:
        """Remember that a request was too long for its server."""
        state.most_tokens = max(1, int(_SHARE * min(self._budget.tokens_of(state, run), self.limit(state, run))))

    def cut(self, state: AgentState, run: Run, *, keep: bool = True) -> int:
        """Return before which item a conversation is cut; 0 if there is nothing that could be replaced."""
        conversation, turn = self._conversations.of(state), run.turn_idx - state.base
        room = int(_KEPT * self.limit(state, run) * BYTES_PER_TOKEN) if keep else 0
        cut = 0
        for n in range(turn, state.replaced, -1):
            if n < turn:
                room -= size_of(conversation[n])
            if conversation[n].get("role") == "user":
                if n < turn and room < 0:
                    break
                cut = n
        return cut

    async def shorten(self, run: Run, older: list[Item], origin: Origin) -> tuple[str, list[Item], Reply | None]:
        """Return how the older part of a conversation was shortened, what replaces it, and what the model answered."""
        try:
            reply = await run.model.compact(run.instructions, older, origin)
            if reply is not None and reply.items:
                return "compacted", list(reply.items), reply
        except ModelError:
            async with self._tape.committing(origin.agent_id):
                pass  # the server would not, and a recording says so: a summary may do
        if not run.model.can_summarise:
            return "dropped", [_as_turn(_DROPPED)], None
        try:
            asked = [*older, _as_turn(_ASK)]
            reply = await run.model.respond(run.instructions, asked, [], origin, settings=run.settings)
        except ModelError:
            return "dropped", [_as_turn(_DROPPED)], None
        if not reply.text.strip() or reply.calls:
            return "dropped", [_as_turn(_DROPPED)], reply
        return "summary", [_as_turn(_SUMMARY.format(reply.text.strip()))], reply


def _as_turn(text: str) -> Item:
    return {"role": "user", "content": turn_text([text])}
