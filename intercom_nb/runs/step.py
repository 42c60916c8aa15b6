"""One step of a run: ask the model, let the agent's own tools work, commit everything in one transaction.

A model call happens outside any transaction. What it answered, the outputs of its tool calls, and everything those
did to others are committed together. So a stored conversation is always whole, and after a crash only a model call
can happen again.
"""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace

from intercom_nb.errors import ModelError, ToolCallError
from intercom_nb.log.facts import RunEnded, StepTaken, ToolCalled
from intercom_nb.log.store import Store
from intercom_nb.log.times import micros, now
from intercom_nb.log.transaction import Transaction
from intercom_nb.messages import Item
from intercom_nb.model_settings import ModelSettings
from intercom_nb.models import Origin, Reply, Tape, Usage
from intercom_nb.routing.chat_tools import CHAT_TOOLS, SEARCH_TOOL, ChatTools
from intercom_nb.routing.router import Router
from intercom_nb.runs.agent_state import Desk, Options, Run
from intercom_nb.runs.budget import Budget
from intercom_nb.runs.compaction import Memory, is_too_long
from intercom_nb.runs.conversations import Conversations
from intercom_nb.runs.lifecycle import Lifecycle
from intercom_nb.runs.notes import NOTE_TOOLS, Notes, NoteTools
from intercom_nb.runs.runtime import result_of
from intercom_nb.texts.names import clean, plain_name
from intercom_nb.tools import Tool, ToolCall

__all__ = ["Steps"]

_UNKNOWN_OUTCOME = "Error: the process ended while this tool was at work; find out what came of it before calling again"


class Steps:
    """The steps of one service's runs.

    Parameters
    ----------
    store, conversations, lifecycle, tape, options
        Of the same service.
    ended : callable
        Called with the desk and the reason once the end of a run is durable.
    """

    def __init__(
        self,
        store: Store,
        conversations: Conversations,
        lifecycle: Lifecycle,
        tape: Tape,
        *,
        options: Options,
        ended: Callable[[Desk, str], None],
    ) -> None:
        self._store = store
        self._conversations = conversations
        self._lifecycle = lifecycle
        self._tape = tape
        self._options = options
        self._ended = ended
        self.budget = Budget(lifecycle, options.prices, options.max_output_tokens, waits=tape.live)
        self._memory = Memory(conversations, self.budget, tape, options)
        self.notes = Notes(store)
        self.router: Router | None = None

    def take(self, tx: Transaction, desk: Desk, run: Run, chat_list: str | None = None) -> None:
        """Let a run read the pending mail, and what its agent is to be told besides."""
        mail, desk.inbox = desk.inbox, []
        guard = self._routed().guard
        due = self.budget.wrap_up(desk) + ([] if guard is None else guard.remarks(desk.agent.id))
        for key, text in due:
            if key in desk.told:
                continue
            mail.append(self._routed().remark(tx, text, desk.agent.id, run.run_id, key=key))
            desk.told.add(key)
        self._conversations.take(tx, desk, run, mail, chat_list)

    def _routed(self) -> Router:
        assert self.router is not None  # noqa: S101 - set by the service that makes both
        return self.router

    async def think(self, desk: Desk, run: Run) -> Reply | None:
        """Ask the model; or take up what it had answered when tools were interrupted; None if a limit forbids it."""
        if run.held is not None:
            calls = [ToolCall(i["call_id"], i["name"], i["arguments"]) for i in run.held if "arguments" in i]
            return Reply(run.held, tuple(calls), "", run.model.name, Usage(), None, 0.0)
        if desk.agent.mail == "asap" and desk.inbox:
            async with self._tape.taking(desk.agent.id) as allowed:
                if allowed:
                    with self._store.transaction() as tx:
                        self.take(tx, desk, run)
        desk.tool_bytes = sum(tool.bytes for tool in self._tools(desk))
        conversation = self._conversations.of(desk)  # read from the log here at the latest: its size is known now
        desk.doing = "thinking"
        if self._memory.is_due(desk, run) and not await self._compact(desk, run, self._memory.cut(desk, run)):
            return None
        if not await self.budget.reserve(desk, run):
            return None
        try:
            return await self._ask(desk, run, conversation)
        except ModelError as error:
            cut = self._memory.cut(desk, run, keep=False)
            if not is_too_long(error) or not cut:
                raise
        async with self._tape.committing(desk.agent.id):
            pass  # the call that was refused has a place of its own in a recording
        self._memory.learn(desk, run)
        self.budget.release(desk)
        if not (await self._compact(desk, run, cut) and await self.budget.reserve(desk, run)):
            return None
        return await self._ask(desk, run, conversation)

    async def _compact(self, desk: Desk, run: Run, cut: int) -> bool:
        """Put something shorter in the place of all before `cut`; return False if a limit forbids it."""
        if not await self.budget.reserve(desk, run):
            return False
        before = self.budget.tokens_of(desk, run)
        origin = Origin(desk.agent.id, run.run_id, run.step)
        how, items, reply = await self._memory.shorten(run, self._conversations.of(desk)[:cut], origin)
        async with self._tape.committing(desk.agent.id):
            with self._store.transaction() as tx:
                if reply is not None:
                    reply = replace(reply, usd=self._options.prices.of(run.model, reply))
                    tx.add(replace(self._step_fact(tx, desk, run, reply), kind="compact"))
                    run.step, run.first_step = run.step + 1, run.first_step + 1
                self._conversations.replace(tx, desk, run, cut, by=items, how=how)
                after = self.budget.tokens_of(desk, run)
                size = f"about {before:,} tokens, now {after:,}"
                text = f"the oldest {cut} items of {desk.agent.id} were replaced ({how}): {size}"
                tx.note("compacted", text, agent_id=desk.agent.id)
        self.budget.release(desk)
        return True

    async def _ask(self, desk: Desk, run: Run, conversation: list[Item]) -> Reply:
        request = list(conversation)
        if run.chat_list is not None:
            idx = run.turn_idx - desk.base
            request[idx] = {**request[idx], "content": f"Chat list:\n{run.chat_list}\n\n{request[idx]['content']}"}
        origin = Origin(desk.agent.id, run.run_id, run.step)
        settings = ModelSettings.of({"max_output_tokens": self._options.max_output_tokens})
        tools = [tool.schema for tool in self._tools(desk)]
        reply = await run.model.respond(run.instructions, request, tools, origin, settings=settings)
        self.budget.measure(desk, run, reply.usage)
        return replace(reply, usd=self._options.prices.of(run.model, reply))

    def _tools(self, desk: Desk) -> list[Tool]:
        search = [SEARCH_TOOL] if self._routed().contacts.searches(desk.agent) else []
        own_notes = NOTE_TOOLS.values() if desk.agent.notes else ()
        return [*CHAT_TOOLS.values(), *search, *own_notes, *desk.agent.tools]

    async def act(self, desk: Desk, run: Run, reply: Reply) -> None:
        """Let the agent's own tools work, one after the other; the chat tools follow when the step is committed."""
        own = {tool.name.casefold(): tool for tool in desk.agent.tools}
        named = [(n, call, own.get(plain_name(call.name).casefold())) for n, call in enumerate(reply.calls)]
        todo = [(n, call, tool) for n, call, tool in named if tool is not None]
        if not todo:
            return
        desk.doing = "acting"
        with self._store.transaction() as tx:
            if run.held is None:
                tx.add(self._step_fact(tx, desk, run, reply, held=True))
                run.held = reply.items
            for n, call, tool in todo:
                if n in run.outputs and run.outputs[n] is None:
                    run.outputs[n] = _UNKNOWN_OUTCOME, True
                    at = micros(tx.time)
                    facts = (run.run_id, run.step, n, call.call_id, tool.name, call.arguments, at)
                    tx.add(ToolCalled(*facts, at, _UNKNOWN_OUTCOME, 1))
        for n, call, tool in todo:
            if n not in run.outputs:
                run.outputs[n] = None
                await self._call(run, n, call, tool)

    async def _call(self, run: Run, n: int, call: ToolCall, tool: Tool) -> None:
        began_at = micros(now())
        facts = (run.run_id, run.step, n, call.call_id, tool.name, call.arguments, began_at)
        with self._store.transaction() as tx:
            tx.add(ToolCalled(*facts))
        await result_of(tx.done)  # a tool may do things outside: that it began is known before it does
        raised = ""
        try:
            output, failed = await tool.call(call.arguments), False
        except ToolCallError as error:
            output, failed = f"Error: {error}", True
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is text for the model, and an event
            raised = f"{type(error).__name__}: {error}"
            output, failed = f"Error: {clean(raised)}", True
        with self._store.transaction() as tx:
            tx.add(ToolCalled(*facts, micros(tx.time), output, int(failed)))
            if raised:
                tx.note("tool_failed", f"{tool.name} in {run.run_id} raised {clean(raised)}")
        run.outputs[n] = output, failed

    def _step_fact(self, tx: Transaction, desk: Desk, run: Run, reply: Reply, *, held: bool = False) -> StepTaken:
        used = reply.usage
        if run.held is None:
            for spent in (self._lifecycle.spent, desk.spent):
                spent.steps += 1
                spent.tokens += (used.input_tokens or 0) + (used.output_tokens or 0)
                spent.usd += reply.usd or 0.0
                spent.unpriced += reply.usd is None
            self.budget.release(desk)
        return StepTaken(
            run_id=run.run_id,
            step=run.step,
            seq=tx.seq(),
            model=reply.model,
            input_tokens=used.input_tokens,
            cached_tokens=used.cached_tokens,
            output_tokens=used.output_tokens,
            usd=reply.usd,
            latency_s=reply.latency_s,
            error=None,
            created_at=micros(tx.time),
            held=json.dumps(reply.items, ensure_ascii=False) if held else None,
        )

    async def commit(self, desk: Desk, run: Run, reply: Reply) -> None:
        """Carry out the chat tools and commit the whole step in one transaction."""
        await self._prepare_searches(reply)
        async with self._tape.committing(desk.agent.id):
            await self._commit(desk, run, reply)

    async def _prepare_searches(self, reply: Reply) -> None:
        """Ask for the vectors that the searches of this step need: inside the transaction nothing can be waited for."""
        finding = self._routed().contacts.finding
        if finding.embeddings is None:
            return
        queries = []
        for call in reply.calls:
            if plain_name(call.name).casefold() == SEARCH_TOOL.name:
                with contextlib.suppress(ToolCallError):  # that will be told when it is carried out
                    queries.append(clean(SEARCH_TOOL.parse(call.arguments)["query"]))
        queries = [query for query in queries if query.strip()]
        if queries:
            with self._store.lock:
                texts = finding.texts()
            await finding.embeddings.prepare(texts, queries)

    async def _commit(self, desk: Desk, run: Run, reply: Reply) -> None:
        with self._store.transaction() as tx:
            tx.add(self._step_fact(tx, desk, run, reply))
            outputs = self._carry_out(tx, desk, run, reply)
            self._conversations.extend(tx, desk, run, [*reply.items, *outputs])
            run.step += 1
            run.held, run.outputs = None, {}
            over = run.step - run.first_step >= self._lifecycle.limits.steps_per_run
            reason = "silent" if not reply.calls else "steps" if over else None
            if reason is not None:
                tx.add(RunEnded(run.run_id, tx.seq(), micros(tx.time), reason))
                tx.after(lambda: self._ended(desk, reason))
                # Who is silent sends nothing: only its own next run, and who waits for quiet, depend on this.
                tx.patience = "company" if reason == "silent" else "none"
        await result_of(tx.done)

    def _carry_out(self, tx: Transaction, desk: Desk, run: Run, reply: Reply) -> list[Item]:
        chat_tools = ChatTools(self._routed(), tx, desk.agent.id, run.run_id, run.step)
        note_tools = NoteTools(self.notes, tx, desk.agent.id, run.run_id, run.step)
        noting = NOTE_TOOLS if desk.agent.notes else {}
        searching = (SEARCH_TOOL.name,) if self._routed().contacts.searches(desk.agent) else ()
        others = (*searching, *noting, *(tool.name for tool in desk.agent.tools))
        outputs: list[Item] = []
        for n, call in enumerate(reply.calls):
            known = run.outputs.get(n)
            if known is None:
                is_note = plain_name(call.name).casefold() in noting
                output, failed = note_tools.carry_out(call) if is_note else chat_tools.carry_out(call, others)
                at = micros(tx.time)
                tx.add(
                    ToolCalled(
                        run.run_id, run.step, n, call.call_id, call.name, call.arguments, at, at, output, int(failed)
                    )
                )
            else:
                output = known[0]
            outputs.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
        return outputs

    async def fail(self, desk: Desk, run: Run, error: str) -> None:
        """End a run as failed, and say why."""
        desk.error = error = clean(error)
        async with self._tape.committing(desk.agent.id):
            await self._commit_failure(desk, run, error)

    async def _commit_failure(self, desk: Desk, run: Run, error: str) -> None:
        with self._store.transaction() as tx:
            at = micros(tx.time)
            if run.held is None:
                self._lifecycle.spent.steps += 1
                desk.spent.steps += 1
                tx.add(StepTaken(run.run_id, run.step, tx.seq(), run.model.name, *(None,) * 5, error, at))
                run.step += 1
            tx.add(RunEnded(run.run_id, tx.seq(), at, "failed", error))
            tx.note("run_failed", f"{run.run_id} of {desk.agent.id} failed: {error}", agent_id=desk.agent.id)
            tx.after(lambda: self._ended(desk, "failed"))
        await result_of(tx.done)
