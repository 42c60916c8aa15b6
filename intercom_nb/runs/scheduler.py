"""How an agent reacts: from taking its mail to falling silent, one run after the other."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from intercom_nb.errors import LogError, ModelError, listed
from intercom_nb.log.facts import RunBegan, RunReopened
from intercom_nb.log.store import Store
from intercom_nb.log.times import micros
from intercom_nb.log.transaction import Transaction
from intercom_nb.members.registry import Registry
from intercom_nb.messages import Item, Message
from intercom_nb.models import Models
from intercom_nb.routing.courtesy import channel_of
from intercom_nb.routing.router import Router
from intercom_nb.runs.agent_state import AgentState, Options, Run
from intercom_nb.runs.conversations import Conversations
from intercom_nb.runs.lifecycle import Lifecycle
from intercom_nb.runs.step import Steps

__all__ = ["Runs"]

_LOGGER = logging.getLogger(__name__)


class Runs:
    """The runs of one service's agents.

    Parameters
    ----------
    store, directory, models, lifecycle
        Of the same service.
    ring : callable
        Called with the ids of agents that have something to do; may be called from any thread.
    options : Options
        What holds for all of them.
    """

    def __init__(
        self,
        store: Store,
        directory: Registry,
        *,
        models: Models,
        lifecycle: Lifecycle,
        ring: Callable[[Iterable[str]], None],
        options: Options,
    ) -> None:
        self._store = store
        self._models = models
        self._lifecycle = lifecycle
        self._ring = ring
        self._every_chat_list = options.every_chat_list
        self._only = ""  # the one agent that may have a run now; empty for all of them
        self._due: dict[str, None] = {}  # in the order they became due, so that a start has an order too
        self.desks: dict[str, AgentState] = {}
        self._conversations = Conversations(store, directory)
        self._steps = Steps(store, self._conversations, lifecycle, models.tape, options=options, ended=self._ended)

    def route_by(self, router: Router) -> None:
        """Let what agents say and do to each other go through this router, and be shown whom its contacts say."""
        self._steps.router, self._contacts = router, router.contacts

    def history(self, desk: AgentState) -> list[Item]:
        """Return all items of an agent, also those that are no longer sent."""
        return self._conversations.history(desk)

    def close(self) -> None:
        """Let go what is not in the log."""
        self._steps.notes.close()
        self._contacts.finding.close()

    def conversation(self, desk: AgentState) -> list[Item]:
        """Return an agent's items, oldest first."""
        return self._conversations.of(desk)

    # -- mail -------------------------------------------------------------------------------------------------------

    def deliver(self, message: Message, agent_ids: Sequence[str], *, held: bool = False) -> None:
        """Put an accepted message into its receivers' inboxes and ring them; one that is held waits beside them."""
        with self._store.lock:
            for agent_id in agent_ids:
                desk = self.desks[agent_id]
                (desk.kept if held else desk.inbox).append(message)
            self._lifecycle.spent.messages += 1
            if message.sender_id in self.desks:
                self.desks[message.sender_id].spent.messages += 1
            self.due(agent_id for agent_id in agent_ids if not held and not self.desks[agent_id].met)

    def let_go(self, channels: Sequence[str]) -> None:
        """Put what waited in these channels into the inboxes it was for, in the order of the log."""
        with self._store.lock:
            desks = [desk for desk in self.desks.values() if any(channel_of(m) in channels for m in desk.kept)]
            for desk in desks:
                free = [message for message in desk.kept if channel_of(message) in channels]
                desk.kept = [message for message in desk.kept if channel_of(message) not in channels]
                desk.inbox = sorted(desk.inbox + free, key=lambda message: message.seq)
            self.due(desk.agent.id for desk in desks if not desk.met)

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
            self._only = ""
            self._lift()
            self._ring(self._due)
            if not self._due:
                self._quiet()

    def wake_one(self) -> str | None:
        """Ring the agent whose turn it is, for one run, after which the service pauses; return its id."""
        with self._store.lock:
            self._lift()
            # A run that was interrupted comes first.
            self._only = min(self._due, key=lambda agent_id: self.desks[agent_id].run is None, default="")
            if not self._only:
                self._quiet()
                self._lifecycle.halt("paused", "paused")
                return None
            self._ring([self._only])
            return self._only

    def _lift(self) -> None:
        """Let agents that met a limit of their own look again whether they may go on."""
        self._free(desk for desk in self.desks.values() if desk.met not in ("", "paused"))

    def _free(self, desks: Iterable[AgentState]) -> None:
        free = list(desks)
        for desk in free:
            desk.met = ""
        self.due(desk.agent.id for desk in free if desk.inbox or desk.run is not None)

    def pause(self, agent_id: str) -> None:
        """Let an agent make no further model call; its mail waits, and the others go on."""
        desk = self.desks[agent_id]
        with self._store.transaction() as tx:
            if desk.met != "paused":
                tx.note("agent_paused", f"{agent_id} is paused", agent_id=agent_id)
                desk.met = "paused"
                if desk.doing == "idle":
                    self._rest(desk)

    def resume(self, agent_id: str) -> None:
        """Let an agent go on that was paused."""
        desk = self.desks[agent_id]
        with self._store.transaction() as tx:
            if desk.met == "paused":
                tx.note("agent_resumed", f"{agent_id} goes on", agent_id=agent_id)
                self._free([desk])

    def status_of(self, agent_id: str) -> str:
        """Return what an agent is doing, in a word or a few."""
        desk = self.desks[agent_id]
        if desk.doing == "idle" and desk.met == "paused":
            return "paused"
        if desk.doing != "idle":
            return "waiting for the rate limit" if self._models.waits(agent_id) else desk.doing
        if desk.inbox or desk.kept or desk.run is not None:
            return "waiting"
        return "failed" if desk.failed is not None else "idle"

    def unread(self, agent_id: str) -> int:
        """Return how many messages an agent has not yet taken."""
        return len(self.desks[agent_id].inbox)

    def is_paused(self, agent_id: str) -> bool:
        """Return whether an agent was paused alone."""
        return self.desks[agent_id].met == "paused"

    def _quiet(self) -> None:
        """Say how the conversation ended: by itself, or because some agent was cut off and nothing came after."""
        # One look at each: of thousands of agents nearly all ended in silence, and nothing is to be said of those.
        cut = [desk for desk in self.desks.values() if desk.last != "silent" or desk.met or desk.kept]
        lasts, met = {desk.last for desk in cut}, [desk for desk in cut if desk.met and (desk.inbox or desk.run)]
        kept = dict.fromkeys(channel_of(message) for desk in cut for message in desk.kept)
        reason, told = "steps" if "steps" in lasts else "quiet", ""
        if "failed" in lasts:
            reason, told = "failed", self._failures()
        elif met:
            reason = met[0].met
            names = listed(desk.agent.id for desk in met if desk.met == reason)
            told = f"quiet, but {names} met the limit of {reason} set by agent.limits; raise it and resume()"
            if reason == "paused":
                told = f"quiet, but mail waits for whom you paused: {names}; agent.resume() lets it go on"
        elif kept:
            reason = "courtesy"
            told = (
                f"quiet, but {listed(kept)} said too little new, and their mail waits; intercom.release() delivers it"
            )
        self._lifecycle.quiet(reason, told)

    def _failures(self) -> str:
        """Say what failed: one sentence, however many runs there are, and one reason, for it is mostly the same."""
        errors = [desk.error for desk in self.desks.values() if desk.last == "failed"]
        runs = "a run" if len(errors) == 1 else f"{len(errors)} runs"
        why = f": {' '.join(errors[0].split())}" if errors[0] else ""
        return f"quiet, but {runs} failed{why}; intercom.retry() tries again"

    # -- one agent --------------------------------------------------------------------------------------------------

    def may_react(self, agent_id: str) -> bool:
        """Return whether an agent that was rung has anything to do now; what it may not do yet stays due."""
        desk = self.desks[agent_id]
        return self._lifecycle.state == "running" and bool(desk.inbox or desk.run is not None or desk.met)

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
            self._rest(desk)

    def _rest(self, desk: AgentState) -> None:
        """Leave an agent alone that met a limit of its own; its mail and its run stay as they are."""
        with self._store.lock:
            if desk.met and self._due.pop(desk.agent.id, self) is None and not self._due:
                self._quiet()
            if desk.met:
                self._stepped(desk)

    def _stepped(self, desk: AgentState) -> None:
        """Pause again after the one run that was asked for."""
        if self._only == desk.agent.id:
            self._only = ""
            self._lifecycle.halt("paused", "paused")

    async def _run(self, desk: AgentState, run: Run) -> None:
        while desk.run is run and not desk.met and self._lifecycle.may_step():
            try:
                if not await self._step(desk, run):
                    return
            finally:
                self._steps.budget.release(desk)

    async def _step(self, desk: AgentState, run: Run) -> bool:
        """Take one step, and return whether there was one; a step that fails ends the run."""
        try:
            async with asyncio.timeout(self._lifecycle.seconds_left()):
                reply = await self._steps.think(desk, run)
                if reply is None:
                    return False
                await self._steps.act(desk, run, reply)
        except TimeoutError:
            self._lifecycle.halt("paused", "seconds")
            return False
        except ModelError as error:
            await self._steps.fail(desk, run, str(error))
            return False
        except LogError:
            raise
        except Exception as error:  # the end of the line: a failed run, never a silent one
            _LOGGER.exception("%s failed in %s", desk.agent.id, run.run_id)
            await self._steps.fail(desk, run, f"{type(error).__name__}: {error}")
            return False
        await self._steps.commit(desk, run, reply)
        return True

    async def _next(self, desk: AgentState) -> Run | None:
        if desk.run is not None or not desk.inbox or not self._may_go_on(desk):
            return self._begin(desk)
        async with self._models.tape.taking(desk.agent.id):
            return self._begin(desk)

    def _may_go_on(self, desk: AgentState) -> bool:
        return not desk.met and self._only in ("", desk.agent.id)

    def _begin(self, desk: AgentState) -> Run | None:
        """Return the run to go on with, or a new one for the pending mail; None if there is nothing to do."""
        with self._store.lock:
            new = desk.run is None
            if not self._may_go_on(desk) or (new and not desk.inbox) or not self._lifecycle.may_step(new_run=new):
                return None
            own = desk.agent.limits
            if new and own is not None and desk.spent.runs >= own.runs:
                desk.met = "runs"
                return None
            if desk.run is None:
                with self._store.transaction() as tx:
                    desk.run = self._new_run(tx, desk)
                    # Nobody waits: until it is durable only a model call depends on it, and that may happen again.
                    tx.patience = "more"
            return desk.run

    def _new_run(self, tx: Transaction, desk: AgentState) -> Run:
        agent, seq = desk.agent, tx.seq()
        conversation = self._conversations.of(desk)
        chat_list = self._contacts.show(agent)
        every = self._every_chat_list
        run = Run(
            run_id=f"run-{seq}",
            instructions=agent.instructions,
            model=self._models.named(agent.model),
            turn_idx=len(conversation) + desk.base,
            chat_list=None if every else chat_list,
        )
        tx.add(RunBegan(run.run_id, agent.id, agent.version, seq, micros(tx.time), run.turn_idx, run.chat_list))
        self._steps.take(tx, desk, run, chat_list if every else None)
        self._lifecycle.spent.runs += 1
        desk.spent.runs += 1
        desk.failed = None
        return run

    # -- how a run ends ---------------------------------------------------------------------------------------------

    def _ended(self, desk: AgentState, reason: str) -> None:
        with self._store.lock:
            desk.failed = desk.run if reason == "failed" else None
            desk.run, desk.last = None, reason
            if not desk.inbox:
                self._due.pop(desk.agent.id, None)
                desk.doing = "idle"
            if not self._due:
                self._quiet()
            self._stepped(desk)

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
