"""One step of a run: ask the model, let the agent's own tools work, commit everything in one transaction.

A model call happens outside any transaction. What it answered, the outputs of its tool calls, and everything those
did to others are committed together. So a stored conversation is always whole, and after a crash only a model call
can happen again.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from intercom_nb.errors import ModelError, ToolCallError, told_of
from intercom_nb.log.facts import Reason, StepCommitted, StepTaken, ToolCalled, ToolReturned
from intercom_nb.log.store import Store
from intercom_nb.log.times import micros, now
from intercom_nb.log.transaction import Transaction
from intercom_nb.messages import Item
from intercom_nb.models import ALL_MAIL, Origin, Reply, Tape, Usage
from intercom_nb.models.prices import Prices
from intercom_nb.routing.router import Router
from intercom_nb.runs.agent_state import AgentState, Run, end_attempt
from intercom_nb.runs.budget import Budget
from intercom_nb.runs.compaction import Compaction, is_too_long
from intercom_nb.runs.conversations import Conversations
from intercom_nb.runs.fingerprints import Chain
from intercom_nb.runs.lifecycle import Lifecycle
from intercom_nb.runs.runtime import result_of
from intercom_nb.runs.toolset import OWN, Output, Toolsets
from intercom_nb.texts.names import clean
from intercom_nb.texts.reasons import ODD_ENDS
from intercom_nb.tools import Tool, ToolCall

__all__ = ["Circumstances", "Shorter", "Steps"]

_UNKNOWN_OUTCOME = (
    "Error: outcome unknown: the process ended before this tool was done; find out what came of it before calling again"
)

_LONGEST_TOLD = 500  # characters, in an event; the whole stands in the conversation


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The parts of one service that its steps work with."""

    store: Store
    lifecycle: Lifecycle
    conversations: Conversations
    router: Router
    toolsets: Toolsets
    budget: Budget
    compaction: Compaction
    prices: Prices
    tape: Tape


class Shorter(NamedTuple):
    """What stands in the place of the oldest items of a conversation.

    Attributes
    ----------
    cut : int
        How many items are replaced.
    how : str
        ``compacted``, ``summary`` or ``dropped``.
    items : sequence of dict
        What is sent in their place.
    reply : Reply or None
        What the model answered, if one was asked.
    before : int
        Tokens of the next request before.
    """

    cut: int
    how: str
    items: Sequence[Item]
    reply: Reply | None
    before: int


class Steps:
    """The steps of one service's runs.

    Parameters
    ----------
    parts : Circumstances
        What they work with.
    ended : callable
        Called with the agent's state and the reason once the end of a run is durable.

    Attributes
    ----------
    decided : callable
        Given the transaction, the agent's state and the place of a call, what is known to have come of it already.
    """

    def __init__(self, parts: Circumstances, ended: Callable[[AgentState, str], None]) -> None:
        self._store = parts.store
        self._lifecycle = parts.lifecycle
        self._conversations = parts.conversations
        self._router = parts.router
        self._toolsets = parts.toolsets
        self._compaction = parts.compaction
        self._prices = parts.prices
        self._tape = parts.tape
        self._ended = ended
        self.decided: Callable[[Transaction, AgentState, int], Output | None] = _undecided
        self.budget = parts.budget

    def take(
        self, tx: Transaction, state: AgentState, run: Run, chat_list: str | None = None, *, most: int = ALL_MAIL
    ) -> None:
        """Let a run read the pending mail, or the oldest messages of it, and what its agent is to be told besides."""
        mail, told = state.inbox[:most], set[str]()
        guard = self._router.guard
        for key, text in self.budget.wrap_up(state) + ([] if guard is None else guard.remarks(state.agent.id)):
            if key not in state.told:
                mail.append(self._router.remark(tx, text, state.agent.id, run.run_id, key=key))
                told.add(key)
        self._conversations.take(tx, state, run, mail, chat_list)
        tx.keep(state, "inbox", "told")  # mail that could not be taken stays where it was, for the next try
        state.inbox, state.told = state.inbox[most:], state.told | told

    # -- thinking ---------------------------------------------------------------------------------------------------

    async def think(self, state: AgentState, run: Run) -> Reply | None:
        """Ask the model; or take up what it had answered when tools were interrupted; None if a limit forbids it."""
        if run.waiting_items is not None:
            calls = [ToolCall(i["call_id"], i["name"], i["arguments"]) for i in run.waiting_items if _is_call(i)]
            return Reply(run.waiting_items, tuple(calls), "", run.model.name, Usage(), None, 0.0)
        if state.agent.spec.mail == "asap" and state.inbox:
            await self._take_between(state, run)
        state.tool_bytes = self._toolsets.of(state.agent).bytes
        conversation = self._conversations.of(state)  # read from the log here at the latest: its size is known now
        state.doing = "thinking"
        due = self._compaction.is_due(state, run)
        if due and not await self._compact(state, run, self._compaction.cut(state, run)):
            return None
        if not await self.budget.reserve(state, run):
            return None
        try:
            return await self._ask(state, run, conversation)
        except ModelError as error:
            cut = self._compaction.cut(state, run, keep=False)
            if not is_too_long(error) or not cut:
                raise
        async with self._tape.committing(state.agent.id):
            pass  # the call that was refused has a place of its own in a recording
        self._compaction.learn(state, run)
        self.budget.release(state)
        if not (await self._compact(state, run, cut) and await self.budget.reserve(state, run)):
            return None
        return await self._ask(state, run, conversation)

    async def _take_between(self, state: AgentState, run: Run) -> None:
        async with self._tape.taking(state.agent.id) as most:
            if most:
                with self._store.transaction() as tx:
                    self.take(tx, state, run, most=most)

    async def _compact(self, state: AgentState, run: Run, cut: int) -> bool:
        """Put something shorter in the place of all before `cut`; return False if a limit forbids it."""
        if not await self.budget.reserve(state, run):
            return False
        before = self.budget.tokens_of(state, run)
        origin = self._origin(state, run, "compact")
        how, items, reply = await self._compaction.shorten(run, self._conversations.of(state)[:cut], origin)
        if reply is not None:
            reply = replace(reply, usd=self._prices.of(run.model, reply))
        async with self._tape.committing(state.agent.id):
            with self._store.transaction() as tx:
                self.write_shorter(tx, state, run, Shorter(cut, how, items, reply, before))
        self.budget.release(state)
        return True

    def write_shorter(self, tx: Transaction, state: AgentState, run: Run, shorter: Shorter) -> None:
        """Write down what stands in the place of the oldest items of a conversation."""
        cut, how, items, reply, before = shorter
        if reply is not None:
            self._count(tx, state, reply)
            # What the server itself made of it stands in the log already, as what took the place of the items.
            waiting = None if how == "compacted" else reply.items
            tx.add(self._fact(tx, state, run, reply, kind="compact", waiting=waiting))
            tx.keep(run, "step", "first_step")
            run.step, run.first_step = run.step + 1, run.first_step + 1
        self._conversations.replace(tx, state, run, cut, by=items, how=how)
        after = self.budget.tokens_of(state, run)
        size = f"about {before:,} tokens, now {after:,}"
        text = f"the oldest {cut} items of {state.agent.id} were replaced ({how}): {size}"
        tx.note("compacted", text, agent_id=state.agent.id, run_id=run.run_id, reason=how)

    async def _ask(self, state: AgentState, run: Run, conversation: list[Item]) -> Reply:
        request = list(conversation)
        if run.chat_list is not None:
            idx = run.turn_idx - state.base
            request[idx] = {**request[idx], "content": f"Chat list:\n{run.chat_list}\n\n{request[idx]['content']}"}
        origin, tools = self._origin(state, run, "answer"), self._toolsets.of(state.agent).schemas
        most = self._lifecycle.limits.answer_bytes
        reply = await run.model.respond(
            run.instructions, request, tools, origin, settings=run.settings, most_bytes=most
        )
        self.budget.measure(state, run, reply.usage)
        return replace(reply, usd=self._prices.of(run.model, reply))

    # -- acting -----------------------------------------------------------------------------------------------------

    async def act(self, state: AgentState, run: Run, reply: Reply) -> None:
        """Let the agent's own tools work, one after the other; the package's follow when the step is committed."""
        toolset = self._toolsets.of(state.agent)
        named = [(n, call, toolset.own(call)) for n, call in enumerate(reply.calls)]
        todo = [(n, call, tool) for n, call, tool in named if tool is not None]
        if not todo:
            return
        state.doing = "acting"
        unknown = [n for n, _, _ in todo if n in run.outputs and run.outputs[n] is None]
        with self._store.transaction() as tx:
            self.write_waiting(tx, state, run, reply, unknown)
        for n, call, tool in todo:
            if n not in run.outputs:
                await self._lifecycle.end_if_stopped()
                await self._call(run, n, call, tool)

    def write_waiting(self, tx: Transaction, state: AgentState, run: Run, reply: Reply, unknown: Sequence[int]) -> None:
        """Write an answer down that waits for own tools, and which of them nobody knows the outcome of."""
        if run.waiting_items is None:
            self._count(tx, state, reply)
            tx.add(self._fact(tx, state, run, reply, waiting=reply.items))
        for n in unknown:
            tx.add(ToolReturned(run.run_id, run.step, n, tx.seq(), tx.at, _UNKNOWN_OUTCOME, 1))
        run.waiting_items = reply.items
        run.outputs |= dict.fromkeys(unknown, (_UNKNOWN_OUTCOME, True))

    async def _call(self, run: Run, n: int, call: ToolCall, tool: Tool) -> None:
        with self._store.transaction() as tx:
            began_at = micros(now())
            tx.add(
                ToolCalled(
                    run.run_id, run.step, n, tx.seq(), None, call.call_id, tool.name, OWN, call.arguments, began_at
                )
            )
            run.outputs[n] = None
        # A tool may do things outside: that it began is durable before it does. With no await between, nothing comes
        # between either, and what is told to have begun has.
        tx.wait()
        with self._lifecycle.tool_at_work():
            output, failed, raised = await self._output(tool, call)
            with self._store.transaction() as tx:
                tx.add(ToolReturned(run.run_id, run.step, n, tx.seq(), tx.at, output, int(failed)))
                if raised:
                    tx.note(
                        "tool_failed", f"{tool.name} in {run.run_id} raised {raised[:_LONGEST_TOLD]}", run_id=run.run_id
                    )
            run.outputs[n] = output, failed

    async def _output(self, tool: Tool, call: ToolCall) -> tuple[str, bool, str]:
        """Return what a tool gave back, whether that is an error, and what it raised."""
        raised = ""
        try:
            output, failed = await tool.call(call.arguments), False
        except ToolCallError as error:
            output, failed = f"Error: {error}", True
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is text for the model, and an event
            raised = clean(told_of(error))
            output, failed = f"Error: {raised}", True
        return _bounded(output, self._lifecycle.limits.output_bytes), failed, raised

    # -- committing -------------------------------------------------------------------------------------------------

    def _count(self, tx: Transaction, state: AgentState, reply: Reply) -> None:
        """Count what a call has cost, and give back what was set aside for it; once for each call."""
        used = reply.usage
        for spent in (self._lifecycle.spent, state.spent):
            tx.keep(spent, "steps", "tokens", "usd", "unpriced")
            spent.steps += 1
            spent.tokens += (used.input_tokens or 0) + (used.output_tokens or 0)
            spent.usd += reply.usd or 0.0
            spent.unpriced += reply.usd is None
        self.budget.release(state)

    def _fact(
        self,
        tx: Transaction,
        state: AgentState,
        run: Run,
        reply: Reply,
        *,
        kind: Literal["answer", "compact"] = "answer",
        waiting: Sequence[Item] | None = None,
    ) -> StepTaken:
        """Return the row of a call that was answered; `waiting`: its items, where no conversation has them yet."""
        seq, used = tx.seq(), reply.usage
        fingerprint = run.fingerprint or self.fingerprint(state, run, kind)
        tx.keep(state, "chain")
        if kind == "answer":  # the failed step that is written instead is of the same request
            tx.keep(run, "fingerprint")
        run.fingerprint, state.chain = "", Chain(fingerprint)
        waits = kind == "answer" and waiting is not None
        return StepTaken(
            run_id=run.run_id,
            step=run.step,
            attempt=run.attempt,
            seq=seq,
            until_seq=None if waits else seq,
            kind=kind,
            asked=reply.asked or run.model.name,
            model=reply.model,
            settings=run.settings.to_json(),
            fingerprint=fingerprint,
            response_id=reply.response_id,
            input_tokens=used.input_tokens,
            cached_tokens=used.cached_tokens,
            output_tokens=used.output_tokens,
            usd=reply.usd,
            latency_s=reply.latency_s,
            first_token_s=reply.first_token_s,
            repaired=int(reply.repaired),
            error=None,
            created_at=tx.at,
            waiting_items=None if waiting is None else json.dumps(waiting, ensure_ascii=False),
        )

    def fingerprint(self, state: AgentState, run: Run, kind: str) -> str:
        """Return the fingerprint of the request that a run would make now."""
        self._conversations.of(state)
        tools = self._toolsets.of(state.agent).digest
        return state.chain.of(f"{kind}\n{run.model.name}\n{run.settings.to_json()}\n{tools}\n{run.instructions}")

    def _origin(self, state: AgentState, run: Run, kind: str) -> Origin:
        # Of what is sent now: until the answer is there, somebody may have edited the agent.
        run.fingerprint = self.fingerprint(state, run, kind)
        return Origin(state.agent.id, run.run_id, run.step, run.fingerprint)

    async def commit(self, state: AgentState, run: Run, reply: Reply) -> None:
        """Carry out the package's own tools and commit the whole step in one transaction."""
        await self._prepare_searches(state, reply)
        async with self._tape.committing(state.agent.id):
            await self._commit(state, run, reply)

    async def _prepare_searches(self, state: AgentState, reply: Reply) -> None:
        """Ask for the vectors that the searches of this step need: inside the transaction nothing can be waited for."""
        finder = self._router.contacts.finder
        if finder.embeddings is None:
            return
        toolset = self._toolsets.of(state.agent)
        asked = [clean(query) for call in reply.calls if (query := toolset.searched(call)) is not None]
        queries = [query for query in asked if query.strip()]
        if queries:
            with self._store.lock:
                texts = finder.texts()
            await finder.embeddings.prepare(texts, queries)

    async def _commit(self, state: AgentState, run: Run, reply: Reply) -> None:
        with self._store.transaction() as tx:
            self.write(tx, state, run, reply)
        await result_of(tx.done)

    def write(self, tx: Transaction, state: AgentState, run: Run, reply: Reply) -> None:
        """Carry out the package's own tools, and write the whole step down."""
        if run.waiting_items is None:
            self._count(tx, state, reply)
            tx.add(self._fact(tx, state, run, reply))
        else:
            tx.add(StepCommitted(run.run_id, run.step, tx.seq()))
        outputs = self._carry_out(tx, state, run, reply)
        self._conversations.extend(tx, state, run, [*reply.items, *outputs])
        reason = self._reason(run, reply)
        tx.keep(run, "step", "waiting_items", "outputs")
        run.step += 1
        run.waiting_items, run.outputs = None, {}
        tx.seconds = self._lifecycle.seconds
        if reason is not None:
            self.end(tx, state, run, reason)
            if reason in ODD_ENDS:
                text = f"{state.agent.id} {ODD_ENDS[reason]}, in {run.run_id}"
                said = f": {' '.join(reply.text.split())[:_LONGEST_TOLD]}" if reply.text.strip() else ""
                tx.note("odd_end", text + said, agent_id=state.agent.id, run_id=run.run_id, reason=reason)
            # Who is silent sends nothing: only its own next run, and who waits for quiet, depend on this.
            tx.patience = "none" if reason == "steps" else "company"

    def _reason(self, run: Run, reply: Reply) -> Reason | None:
        """Return why a run ends with this step; None if it goes on."""
        if reply.calls:
            over = run.step + 1 - run.first_step >= self._lifecycle.limits.steps_per_run
            return "steps" if over else None
        if reply.end == "said_nothing":  # after it has acted, to say nothing more is the good end
            return "silent" if run.step > 0 else "said_nothing"
        return reply.end or "silent"

    def end(self, tx: Transaction, state: AgentState, run: Run, reason: Reason, error: str | None = None) -> None:
        """End a run, or one attempt of it."""
        end_attempt(tx, state, run, reason, error)
        tx.after(lambda: self._ended(state, reason))

    def _carry_out(self, tx: Transaction, state: AgentState, run: Run, reply: Reply) -> list[Item]:
        toolset = self._toolsets.of(state.agent)
        hands = self._toolsets.hands(tx, state.agent.id, run.run_id, run.step)
        outputs: list[Item] = []
        for n, call in enumerate(reply.calls):
            known = run.outputs.get(n)
            if known is None:
                output = self.decided(tx, state, n) or toolset.carry_out(call, hands)
                self._write_call(tx, run, n, call, toolset.source_of(call), output)
                text = output.text
            else:
                text = known[0]
            outputs.append({"type": "function_call_output", "call_id": call.call_id, "output": text})
        return outputs

    @staticmethod
    def _write_call(tx: Transaction, run: Run, n: int, call: ToolCall, source: str, output: Output) -> None:
        seq, at = tx.seq(), tx.at
        key = (run.run_id, run.step, n, seq, seq)
        tx.add(
            ToolCalled(
                *key, call.call_id, call.name, source, call.arguments, at, at, output.text, int(output.failed)
            )
        )  # fmt: skip

    async def fail(self, state: AgentState, run: Run, error: str) -> None:
        """End a run as failed, and say why."""
        state.error = error = clean(error)
        async with self._tape.committing(state.agent.id):
            await self._commit_failure(state, run, error)

    async def _commit_failure(self, state: AgentState, run: Run, error: str) -> None:
        with self._store.transaction() as tx:
            self.write_failure(tx, state, run, error)
        await result_of(tx.done)

    def write_failure(self, tx: Transaction, state: AgentState, run: Run, error: str) -> None:
        """Write down that a run failed, and the call that did."""
        if run.waiting_items is None:
            for spent in (self._lifecycle.spent, state.spent):
                tx.keep(spent, "steps")
                spent.steps += 1
            failed = Reply((), (), "", run.model.name, Usage(), None, 0.0)
            fact = self._fact(tx, state, run, failed)
            tx.add(replace(fact, error=error, latency_s=None))
            tx.keep(run, "step")
            run.step += 1
        self.end(tx, state, run, "failed", error)
        text = f"{run.run_id} of {state.agent.id} failed: {error}"
        tx.note("run_failed", text, agent_id=state.agent.id, run_id=run.run_id, reason="failed")


def _undecided(tx: Transaction, state: AgentState, n: int) -> None:
    """Let each call be carried out: somebody's code decides nothing that a log would have to say again."""


def _is_call(item: Item) -> bool:
    return item.get("type") == "function_call"


def _bounded(output: str, most: float) -> str:
    """Return what a tool gave back, as far as a model is given it."""
    if 4 * len(output) <= most or (size := len(written := output.encode())) <= most:
        return output
    kept = written[: int(most)].decode(errors="ignore")
    return (
        f"{kept}\n… cut off: the output has {size:,} bytes, and you are given the first {most:,}; ask for less at once"
    )
