"""What agents did, done again: their runs, steps and tools, answered by the log."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from intercom_nb.log.facts import Noted, Released, ToolCalled, ToolReturned
from intercom_nb.log.transaction import Transaction
from intercom_nb.log.written import Written
from intercom_nb.messages import Item
from intercom_nb.models import RecordedCall, Reply, reply_of
from intercom_nb.runs.agent_state import AgentState, Run, end_attempts, with_open_attempt
from intercom_nb.runs.step import Shorter
from intercom_nb.runs.toolset import OWN, Output
from intercom_nb.service.engine import Engine
from intercom_nb.service.replayed_acts import note_edits
from intercom_nb.tools import ToolCall

__all__ = ["Runs"]

Row = Mapping[str, Any]
_MOST_CALLS = 10_000  # of one step
_LIST = "Chat list:\n"


class Runs:
    """Does again what the agents of one service did.

    Parameters
    ----------
    engine : Engine
        The service.
    calls : mapping
        Model calls of the log, by run and step.
    agent_of : mapping of str to str
        Runs of the log → their agents.
    unknown : collection of str
        Names of tools whose functions are not known, so that nobody knows what models were told of them.
    """

    def __init__(
        self,
        engine: Engine,
        calls: Mapping[tuple[str, int], RecordedCall],
        agent_of: Mapping[str, str],
        unknown: Collection[str],
    ) -> None:
        self._engine = engine
        self._calls = calls
        self._agent_of = agent_of
        self._unknown = unknown
        self._asked: dict[tuple[str, str], str] = {}  # by agent and kind: fingerprints of what it would ask
        self._named = {run_id: call.asked for (run_id, _), call in reversed(list(calls.items())) if run_id}
        self._now = Written(0, 0, ())
        engine.steps.decided = self._decided

    def did(self, one: Written) -> bool:
        """Do it; return False if a transaction is nothing of the kind."""
        self._now, began, ended = one, one.began, one.ended
        of: Callable[[Written], str] | None = None
        if began["runs"]:
            of = self._begin if began["runs"][0]["attempt"] == 1 else self._go_on
        elif began["compactions"]:
            of = self._shorten
        elif any(row["run_id"] is not None for row in ended["deliveries"]):
            of = self._take
        elif any(row["error"] is not None for row in began["steps"]) or _reasons(ended["runs"]) == {"failed"}:
            of = self._fail
        elif began["steps"] and began["steps"][0]["waiting_items"] is not None:
            of = self._wait_for_tools
        elif began["steps"] or ended["steps"]:
            of = self._commit
        elif began["tool_calls"] or ended["tool_calls"]:
            of = self._use_tools
        elif _reasons(ended["runs"]) & {"stopped", "interrupted"}:
            of = self._cut_off
        if of is not None and (agent_id := of(one)):
            self.ask(agent_id)
        return of is not None

    def ask(self, agent_id: str) -> None:
        """Remember what an agent would ask now: until its answer is written, it may be edited."""
        state = self._engine.inboxes.states[agent_id]
        if state.run is not None:
            for kind in ("answer", "compact"):
                self._asked[agent_id, kind] = self._engine.steps.fingerprint(state, state.run, kind)

    def ran_on(self, run: Run) -> None:
        """Let a run have the model that it asked for in its log, where only code can give it."""
        asked = self._named.get(run.run_id)
        if asked is not None and run.model is self._engine.models.default:
            run.model = self._engine.models.named(asked)

    # -- runs -------------------------------------------------------------------------------------------------------

    def _begin(self, one: Written) -> str:
        row = one.began["runs"][0]
        state, engine = self._engine.inboxes.states[row["agent_id"]], self._engine
        engine.contacts.shown = self._shown(state, row, one)
        by_time = any(":seconds:" in (message["key"] or "") for message in one.began["messages"])
        engine.lifecycle.said = engine.lifecycle.limits.seconds if by_time else 0.0  # type: ignore[attr-defined]
        with engine.log.transaction() as tx:
            state.run = engine.runner.begin(tx, state, len(one.ended["deliveries"]))
        engine.contacts.shown = None
        self.ran_on(state.run)
        return state.agent.id

    def _shown(self, state: AgentState, row: Row, one: Written) -> str | None:
        """Return the chat list of the log, where somebody's code had decided it."""
        decided = self._engine.options.may_contact is not None
        if not decided and not callable(self._engine.contacts.policy_of(state.agent)):
            return None
        if row["chat_list"] is not None:
            return str(row["chat_list"])
        content = json.loads(one.began["items"][0]["payload"])["content"]
        return str(content).removeprefix(_LIST).partition("\n\nMessage:\n")[0] if _LIST in content else ""

    def _go_on(self, one: Written) -> str:
        for_all = [(row, self._engine.inboxes.states[row["agent_id"]]) for row in one.began["runs"]]
        with self._engine.log.transaction() as tx:
            for _, state in for_all:
                run = state.run or state.failed
                if run is not None:
                    self._engine.runner.go_on(tx, state, run)
        for _, state in for_all:
            if state.run is None and state.failed is not None:
                state.failed.first_step = state.failed.step
                state.run, state.failed, state.last, state.error = state.failed, None, "silent", ""
            self.ask(state.agent.id)
        return ""

    def _take(self, one: Written) -> str:
        state, run = self._of(one.ended["deliveries"][0]["run_id"])
        with self._engine.log.transaction() as tx:
            self._engine.steps.take(tx, state, run, most=len(one.ended["deliveries"]))
        return state.agent.id

    def _cut_off(self, one: Written) -> str:
        (reason,) = _reasons(one.ended["runs"])
        attempts = with_open_attempt(self._engine.inboxes.states.values())
        with self._engine.log.transaction() as tx:
            end_attempts(tx, attempts, reason)
            tx.add(*(Released(row["channel"], tx.seq()) for row in one.ended["holds"]))
        return ""

    # -- steps ------------------------------------------------------------------------------------------------------

    def _commit(self, one: Written) -> str:
        row = (one.began["steps"] or one.ended["steps"])[0]
        state, run = self._of(row["run_id"])
        reply = self._reply(row, _answered(one))
        if run.waiting_items is None:
            self._answer(state, run, reply, row)
        else:
            outputs = [json.loads(item["payload"]) for item in one.began["items"]][len(reply.items) :]
            toolset = self._engine.toolsets.of(state.agent)
            own = [n for n, call in enumerate(reply.calls) if toolset.own(call) is not None]
            run.outputs = {n: (str(outputs[n]["output"]), True) for n in own}
        with self._engine.log.transaction() as tx:
            self._engine.steps.write(tx, state, run, reply)
            note_edits(tx, one)
        return state.agent.id if state.run is run else ""

    def _wait_for_tools(self, one: Written) -> str:
        row = one.began["steps"][0]
        state, run = self._of(row["run_id"])
        reply = self._reply(row, json.loads(row["waiting_items"]))
        self._answer(state, run, reply, row)
        with self._engine.log.transaction() as tx:
            self._engine.steps.write_waiting(tx, state, run, reply, ())
        return ""

    def _answer(self, state: AgentState, run: Run, reply: Reply, row: Row) -> None:
        """Do what is done when an answer comes."""
        state.tool_bytes = self._engine.toolsets.of(state.agent).bytes
        self._engine.steps.budget.measure(state, run, reply.usage)
        run.fingerprint = self._fingerprint(state, run, row)

    def _fail(self, one: Written) -> str:
        (ended,) = one.ended["runs"]
        state, run = self._of(ended["run_id"])
        if one.began["steps"]:
            run.fingerprint = self._fingerprint(state, run, one.began["steps"][0])
        with self._engine.log.transaction() as tx:
            self._engine.steps.write_failure(tx, state, run, ended["error"])
        return ""

    def _shorten(self, one: Written) -> str:
        row, (step, *_) = one.began["compactions"][0], (*one.began["steps"], None)
        state, run = self._of(row["run_id"])
        state.tool_bytes = self._engine.toolsets.of(state.agent).bytes
        conversation, reply = self._engine.conversations.of(state), None
        before = self._engine.steps.budget.tokens_of(state, run)
        cut = min(row["until_idx"] - state.base, len(conversation))
        if step is not None:
            reply = reply_of(self._calls[step["run_id"], step["step"]])
            run.fingerprint = self._fingerprint(state, run, step)
        with self._engine.log.transaction() as tx:
            shorter = Shorter(cut, row["how"], json.loads(row["payload"]), reply, before)
            self._engine.steps.write_shorter(tx, state, run, shorter)
            said = tx.facts[-1]
            if self._is_unknown(state) and isinstance(said, Noted):  # how long the tools are, nobody knows
                tx.facts[-1] = replace(said, text=one.events("compacted")[0]["text"])
        return state.agent.id

    def _fingerprint(self, state: AgentState, run: Run, row: Row) -> str:
        """Return the fingerprint of a request: as it is made of what was asked then, or a little later."""
        recorded = str(row["fingerprint"])
        now = self._engine.steps.fingerprint(state, run, row["kind"])
        known = (now, self._asked.get((state.agent.id, row["kind"])))
        return recorded if recorded in known or self._is_unknown(state) else now

    def _is_unknown(self, state: AgentState) -> bool:
        return any(tool.name in self._unknown for tool in state.agent.tools)

    def _reply(self, row: Row, items: list[Item]) -> Reply:
        calls = [item for item in items if item.get("type") == "function_call"]
        made = tuple(ToolCall(call["call_id"], call["name"], call["arguments"]) for call in calls)
        return replace(reply_of(self._calls[row["run_id"], row["step"]]), items=tuple(items), calls=made)

    # -- tools ------------------------------------------------------------------------------------------------------

    def _use_tools(self, one: Written) -> str:
        with self._engine.log.transaction() as tx:
            for row in one.began["tool_calls"]:
                _, run = self._of(row["run_id"])
                call = [item for item in run.waiting_items or () if item.get("type") == "function_call"][row["n"]]
                seq, key = tx.seq(), (run.run_id, run.step, row["n"])
                tx.add(ToolCalled(*key, seq, None, call["call_id"], row["name"], OWN, call["arguments"], tx.at))
                run.outputs[row["n"]] = None
            for row in one.ended["tool_calls"]:
                _, run = self._of(row["run_id"])
                key = (run.run_id, run.step, row["n"])
                tx.add(ToolReturned(*key, tx.seq(), tx.at, row["output"], row["failed"]))
                run.outputs[row["n"]] = row["output"], bool(row["failed"])
            for row in one.events("tool_failed"):
                tx.note("tool_failed", row["text"], run_id=row["run_id"])
            for _ in range(min(one.place - tx.place, _MOST_CALLS)):  # calls that never began, said to be unknown
                tx.seq()
        return ""

    def _decided(self, tx: Transaction, state: AgentState, n: int) -> Output | None:
        """Return what came of a call, where somebody's code or a server had a say in it."""
        options, contacts = self._engine.options, self._engine.contacts
        row = next((row for row in self._now.began["tool_calls"] if row["n"] == n), None)
        if row is None or (options.may_contact is None and options.embeddings is None):
            return None
        if row["failed"]:
            return Output(row["output"], failed=True)
        if row["source"] != "search":
            return None
        ids = [json.loads(line)["id"] for line in row["output"].split("\n") if line.startswith("{")]
        contacts.found(tx, state.agent, [self._engine.registry.get_agent(agent_id) for agent_id in ids])
        return Output(row["output"], failed=False)

    def _of(self, run_id: str) -> tuple[AgentState, Run]:
        state = self._engine.inboxes.states[self._agent_of[run_id]]
        if state.run is None or state.run.run_id != run_id:
            raise LookupError(f"{run_id} is not under way")
        return state, state.run


def _answered(one: Written) -> list[Item]:
    """Return what a model answered, from a whole step: the outputs of its calls are the last of its items."""
    items: list[Item] = [json.loads(row["payload"]) for row in one.began["items"]]
    return items[: len(items) - sum(item.get("type") == "function_call" for item in items)]


def _reasons(rows: list[Row]) -> set[Any]:
    return {row["reason"] for row in rows}
