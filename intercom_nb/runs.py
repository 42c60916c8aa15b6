"""How an agent reacts: from taking its mail to falling silent, step by step.

One `Desk` is one agent's working state. A run's model calls happen outside any transaction; each step (the model's
items, the outputs of its tool calls, and everything those did to others) is committed in one. So a stored
conversation is always whole, and after a crash only a model call can happen again.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from intercom_nb.agent import Agent
from intercom_nb.chat_tools import CHAT_TOOLS, ChatTools
from intercom_nb.directory import Directory
from intercom_nb.errors import LogError, ModelError, ToolCallError
from intercom_nb.facts import (
    ItemsAdded,
    RunBegan,
    RunEnded,
    RunReopened,
    StepTaken,
    Taken,
    ToolCalled,
    micros,
    now,
)
from intercom_nb.lifecycle import Lifecycle
from intercom_nb.messages import Incoming, Item, Message, chat_list_text, clean, turn_text
from intercom_nb.models import Model, Models, Origin, Reply, Usage
from intercom_nb.routing import Router
from intercom_nb.store import Store, Transaction
from intercom_nb.tools import Tool, ToolCall, plain_name

__all__ = ["Desk", "Run", "Runs"]

_LOGGER = logging.getLogger(__name__)
_UNKNOWN_OUTCOME = "Error: the process ended while this tool was at work; find out what came of it before calling again"


@dataclass(slots=True)
class Run:
    """A run in progress.

    Attributes
    ----------
    run_id : str
        Such as ``run-12``.
    instructions : str
        As they were when it began.
    model : Model
        Who answers.
    turn_idx : int
        Place of its turn in the conversation.
    chat_list : str or None
        Shown with that turn.
    step : int
        The next step.
    first_step : int
        Where its limit of steps counts from; moves when it is retried.
    held : tuple of dict, optional
        The items of a step whose own tools are at work.
    outputs : dict
        What is known about those tools: place of the call → output and whether it failed; None after a crash.
    """

    run_id: str
    instructions: str
    model: Model
    turn_idx: int
    chat_list: str | None
    step: int = 0
    first_step: int = 0
    held: tuple[Item, ...] | None = None
    outputs: dict[int, tuple[str, bool] | None] = field(default_factory=dict)


@dataclass(slots=True)
class Desk:
    """One agent's working state; changed under the store's lock."""

    agent: Agent
    inbox: list[Message] = field(default_factory=list)
    conversation: list[Item] | None = None
    run: Run | None = None
    failed: Run | None = None
    doing: Literal["idle", "thinking", "acting"] = "idle"
    last: str = "silent"


class Runs:
    """The runs of one service's agents.

    Parameters
    ----------
    store, directory, models, lifecycle
        Of the same service.
    ring : callable
        Called with the ids of agents that have something to do; may be called from any thread.
    every_chat_list : bool
        Whether every stored turn shows its chat list, rather than an agent's newest one alone.
    """

    def __init__(
        self,
        store: Store,
        directory: Directory,
        *,
        models: Models,
        lifecycle: Lifecycle,
        ring: Callable[[Iterable[str]], None],
        every_chat_list: bool = False,
    ) -> None:
        self._store = store
        self._directory = directory
        self._models = models
        self._lifecycle = lifecycle
        self._ring = ring
        self._every_chat_list = every_chat_list
        self._due: dict[str, None] = {}  # in the order they became due, so that a start has an order too
        self.desks: dict[str, Desk] = {}
        self.router: Router | None = None

    # -- mail -------------------------------------------------------------------------------------------------------

    def deliver(self, message: Message, agent_ids: Sequence[str]) -> None:
        """Put an accepted message into its receivers' inboxes and ring them."""
        with self._store.lock:
            for agent_id in agent_ids:
                self.desks[agent_id].inbox.append(message)
            self._lifecycle.spent.messages += 1
            self.due(agent_ids)

    def due(self, agent_ids: Iterable[str]) -> None:
        """Note that these agents have something to do, and ring them."""
        ids = dict.fromkeys(agent_ids)
        if ids:
            with self._store.lock:
                self._due |= ids
                self._lifecycle.busy()
            self._ring(ids)

    def wake(self) -> None:
        """Ring every agent that has something to do: after a start, a pause, or a crash."""
        with self._store.lock:
            self._ring(self._due)
            if not self._due:
                self._lifecycle.quiet(self._outcome())

    def status_of(self, agent_id: str) -> str:
        """Return what an agent is doing, in a word or a few."""
        desk = self.desks[agent_id]
        if desk.doing != "idle":
            return "waiting for the rate limit" if self._models.waits(agent_id) else desk.doing
        if desk.inbox or desk.run is not None:
            return "waiting"
        return "failed" if desk.failed is not None else "idle"

    def _outcome(self) -> str:
        """Say how the conversation ended: by itself, or because some agent was cut off and nothing came after."""
        lasts = {desk.last for desk in self.desks.values()}
        return next((reason for reason in ("failed", "steps") if reason in lasts), "quiet")

    # -- one agent --------------------------------------------------------------------------------------------------

    async def react(self, agent_id: str) -> None:
        """Run an agent until it has nothing to do or may not go on."""
        desk = self.desks[agent_id]
        try:
            while (run := await self._next(desk)) is not None:
                await self._run(desk, run)
        except LogError as error:
            _LOGGER.warning("%s stops: %s", agent_id, error)
            self._lifecycle.halt("stopped", "log")
        finally:
            desk.doing = "idle"

    async def _run(self, desk: Desk, run: Run) -> None:
        while desk.run is run and self._lifecycle.may_step():
            try:
                async with asyncio.timeout(self._lifecycle.seconds_left()):
                    reply = await self._think(desk, run)
                    await self._act(desk, run, reply)
            except TimeoutError:
                self._lifecycle.halt("paused", "seconds")
                return
            except ModelError as error:
                await self._fail(desk, run, str(error))
                return
            except LogError:
                raise
            except Exception as error:  # the end of the line: a failed run, never a silent one
                _LOGGER.exception("%s failed in %s", desk.agent.id, run.run_id)
                await self._fail(desk, run, f"{type(error).__name__}: {error}")
                return
            async with self._models.tape.committing(desk.agent.id):
                await self._commit_step(desk, run, reply)

    async def _next(self, desk: Desk) -> Run | None:
        if desk.run is not None or not desk.inbox:
            return self._begin(desk)
        async with self._models.tape.taking(desk.agent.id):
            return self._begin(desk)

    def _begin(self, desk: Desk) -> Run | None:
        """Return the run to go on with, or a new one for the pending mail; None if there is nothing to do."""
        with self._store.lock:
            new = desk.run is None
            if (new and not desk.inbox) or not self._lifecycle.may_step(new_run=new):
                return None
            if desk.run is None:
                with self._store.transaction() as tx:
                    desk.run = self._new_run(tx, desk)
                # Not waited for: until it is durable only a model call depends on it, and that may happen again.
            return desk.run

    def _new_run(self, tx: Transaction, desk: Desk) -> Run:
        agent, seq = desk.agent, tx.seq()
        conversation = self.conversation(desk)
        chat_list = chat_list_text(self._directory.chat_list_for(agent.id))
        every = self._every_chat_list
        run = Run(
            run_id=f"run-{seq}",
            instructions=agent.instructions,
            model=self._models.named(agent.model),
            turn_idx=len(conversation),
            chat_list=None if every else chat_list,
        )
        tx.add(RunBegan(run.run_id, agent.id, agent.version, seq, micros(tx.time), run.turn_idx, run.chat_list))
        self._take(tx, desk, run, chat_list if every else None)
        self._lifecycle.spent.runs += 1
        desk.failed = None
        return run

    def _take(self, tx: Transaction, desk: Desk, run: Run, chat_list: str | None = None) -> None:
        """Turn the pending mail into one item of the conversation."""
        mail, desk.inbox = desk.inbox, []
        turn = turn_text((self._read(message) for message in mail), chat_list)
        self._extend(tx, desk, run, [{"role": "user", "content": turn}])
        tx.add(Taken(desk.agent.id, run.run_id, tuple(message.seq for message in mail)))

    def _read(self, message: Message) -> Incoming | str:
        if message.sender_id is None:
            return message.text
        chat_id = message.chat_id or message.sender_id
        name = self._directory.name_of
        return Incoming(name(chat_id), chat_id, message.type, name(message.sender_id), message.sender_id, message.text)

    def _extend(self, tx: Transaction, desk: Desk, run: Run, items: Sequence[Item]) -> None:
        conversation = self.conversation(desk)
        tx.add(ItemsAdded(desk.agent.id, len(conversation), run.run_id, run.step, tuple(items)))
        conversation.extend(items)

    def conversation(self, desk: Desk) -> list[Item]:
        """Return an agent's items, read from the log when first asked for."""
        if desk.conversation is None:
            rows = self._store.rows("SELECT payload FROM items WHERE agent_id = ? ORDER BY idx", desk.agent.id)
            desk.conversation = [json.loads(payload) for (payload,) in rows]
        return desk.conversation

    # -- one step ---------------------------------------------------------------------------------------------------

    async def _think(self, desk: Desk, run: Run) -> Reply:
        """Ask the model; or take up what it had answered when tools were interrupted."""
        if run.held is not None:
            calls = [ToolCall(i["call_id"], i["name"], i["arguments"]) for i in run.held if "arguments" in i]
            return Reply(run.held, tuple(calls), "", run.model.name, Usage(), None, 0.0)
        if desk.agent.mail == "asap" and desk.inbox:
            async with self._models.tape.taking(desk.agent.id) as allowed:
                if allowed:
                    with self._store.transaction() as tx:
                        self._take(tx, desk, run)
        request = list(self.conversation(desk))
        if run.chat_list is not None:
            turn = request[run.turn_idx]
            request[run.turn_idx] = {**turn, "content": f"Chat list:\n{run.chat_list}\n\n{turn['content']}"}
        desk.doing = "thinking"
        tools = [tool.schema for tool in (*CHAT_TOOLS.values(), *desk.agent.tools)]
        origin = Origin(desk.agent.id, run.run_id, run.step)
        return await run.model.respond(run.instructions, request, tools, origin)

    async def _act(self, desk: Desk, run: Run, reply: Reply) -> None:
        """Let the agent's own tools work, one after the other; the chat tools follow when the step is committed."""
        own = {tool.name.casefold(): tool for tool in desk.agent.tools}
        named = [(n, call, own.get(plain_name(call.name).casefold())) for n, call in enumerate(reply.calls)]
        todo = [(n, call, tool) for n, call, tool in named if tool is not None]
        if not todo:
            return
        desk.doing = "acting"
        with self._store.transaction() as tx:
            if run.held is None:
                tx.add(self._step_fact(tx, run, reply, held=True))
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
        await asyncio.wrap_future(tx.done)  # a tool may do things outside: that it began is known before it does
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

    def _step_fact(self, tx: Transaction, run: Run, reply: Reply, *, held: bool = False) -> StepTaken:
        used, spent = reply.usage, self._lifecycle.spent
        if run.held is None:
            spent.steps += 1
            spent.tokens += (used.input_tokens or 0) + (used.output_tokens or 0)
            spent.usd += reply.usd or 0.0
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

    async def _commit_step(self, desk: Desk, run: Run, reply: Reply) -> None:
        """Carry out the chat tools and commit the whole step in one transaction."""
        with self._store.transaction() as tx:
            tx.add(self._step_fact(tx, run, reply))
            outputs = self._carry_out(tx, desk, run, reply)
            self._extend(tx, desk, run, [*reply.items, *outputs])
            run.step += 1
            run.held, run.outputs = None, {}
            over = run.step - run.first_step >= self._lifecycle.limits.steps_per_run
            reason = "silent" if not reply.calls else "steps" if over else None
            if reason is not None:
                tx.add(RunEnded(run.run_id, tx.seq(), micros(tx.time), reason))
                tx.after(lambda: self._ended(desk, reason))
        await asyncio.wrap_future(tx.done)

    def _carry_out(self, tx: Transaction, desk: Desk, run: Run, reply: Reply) -> list[Item]:
        assert self.router is not None  # noqa: S101 - set by the service that makes both
        chat_tools = ChatTools(self.router, tx, desk.agent.id, run.run_id, run.step)
        others = tuple(tool.name for tool in desk.agent.tools)
        outputs: list[Item] = []
        for n, call in enumerate(reply.calls):
            known = run.outputs.get(n)
            if known is None:
                output, failed = chat_tools.carry_out(call, others)
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

    # -- how a run ends ---------------------------------------------------------------------------------------------

    async def _fail(self, desk: Desk, run: Run, error: str) -> None:
        error = clean(error)
        async with self._models.tape.committing(desk.agent.id):
            await self._commit_failure(desk, run, error)

    async def _commit_failure(self, desk: Desk, run: Run, error: str) -> None:
        with self._store.transaction() as tx:
            at = micros(tx.time)
            if run.held is None:
                self._lifecycle.spent.steps += 1
                tx.add(StepTaken(run.run_id, run.step, tx.seq(), run.model.name, *(None,) * 5, error, at))
                run.step += 1
            tx.add(RunEnded(run.run_id, tx.seq(), at, "failed", error))
            tx.note("run_failed", f"{run.run_id} of {desk.agent.id} failed: {error}", agent_id=desk.agent.id)
            tx.after(lambda: self._ended(desk, "failed"))
        await asyncio.wrap_future(tx.done)

    def _ended(self, desk: Desk, reason: str) -> None:
        with self._store.lock:
            desk.failed = desk.run if reason == "failed" else None
            desk.run, desk.last = None, reason
            if not desk.inbox:
                self._due.pop(desk.agent.id, None)
                desk.doing = "idle"
            if not self._due:
                self._lifecycle.quiet(self._outcome())

    def retry(self, agent_id: str | None = None) -> int:
        """Open failed runs again, one agent's or all, and return how many."""
        with self._store.lock:
            desks = self.desks.values() if agent_id is None else [self.desks[agent_id]]
            failed = [(desk, desk.failed) for desk in desks if desk.failed is not None and desk.run is None]
            if not failed:
                return 0
            with self._store.transaction() as tx:
                for desk, run in failed:
                    tx.add(RunReopened(run.run_id))
                    run.first_step = run.step
                    desk.run, desk.failed = run, None
                tx.after(lambda: self.due(desk.agent.id for desk, _ in failed))
        tx.wait()
        return len(failed)
