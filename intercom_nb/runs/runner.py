"""One agent at work: from its mail to silence, one run after the other."""

import asyncio
import logging
from collections.abc import Callable

from intercom_nb.contacts.chat_lists import Contacts
from intercom_nb.errors import LogError, ModelError, told_of
from intercom_nb.log.facts import RunBegan
from intercom_nb.log.store import Store
from intercom_nb.log.transaction import Transaction
from intercom_nb.model_settings import ModelSettings
from intercom_nb.models import ALL_MAIL, Models
from intercom_nb.runs.agent_state import AgentState, Run
from intercom_nb.runs.conversations import Conversations
from intercom_nb.runs.halts import Halts
from intercom_nb.runs.lifecycle import Lifecycle
from intercom_nb.runs.step import Steps

__all__ = ["Runner"]

_LOGGER = logging.getLogger(__name__)


class Runner:
    """Runs the agents of one service, each in a task of its own.

    Parameters
    ----------
    store, models, lifecycle, conversations, contacts, steps, halts
        Of the same service.
    may_run : callable
        Whether an agent may have a run now, given its id; step by step, one of them may.
    settings : callable
        What the service sends with each model call, as it is now.
    every_chat_list : bool
        Whether a stored turn keeps its chat list.
    """

    def __init__(  # noqa: PLR0913 - the parts it works with, all of them named
        self,
        *,
        store: Store,
        models: Models,
        lifecycle: Lifecycle,
        conversations: Conversations,
        contacts: Contacts,
        steps: Steps,
        halts: Halts,
        may_run: Callable[[str], bool],
        settings: Callable[[], ModelSettings],
        every_chat_list: bool,
    ) -> None:
        self._store = store
        self._models = models
        self._lifecycle = lifecycle
        self._conversations = conversations
        self._contacts = contacts
        self._steps = steps
        self._halts = halts
        self._may_run = may_run
        self._settings = settings
        self._every_chat_list = every_chat_list

    async def react(self, state: AgentState) -> None:
        """Run an agent until it has nothing to do or may not go on."""
        while (run := await self._next(state)) is not None:
            await self._run(state, run)

    async def _run(self, state: AgentState, run: Run) -> None:
        while state.run is run and not state.is_halted and self._lifecycle.may_step():
            try:
                if not await self._step(state, run):
                    return
            finally:
                self._steps.budget.release(state)

    async def _step(self, state: AgentState, run: Run) -> bool:
        """Take one step, and return whether there was one; a step that fails ends the run."""
        try:
            async with asyncio.timeout(self._lifecycle.seconds_left()):
                reply = await self._steps.think(state, run)
                if reply is None:
                    return False
                await self._steps.act(state, run, reply)
            await self._steps.commit(state, run, reply)
        except TimeoutError:
            self._lifecycle.halt("paused", "seconds")
            return False
        except ModelError as error:
            await self._steps.fail(state, run, str(error))
            return False
        except LogError:
            raise
        except BaseException as error:  # the end of the line: a failed run, never a silent one
            if self._lifecycle.is_ending(error):
                raise
            _LOGGER.exception("%s failed in %s", state.agent.id, run.run_id)
            await self._steps.fail(state, run, told_of(error))
            return False
        return True

    # -- how a run begins -------------------------------------------------------------------------------------------

    async def _next(self, state: AgentState) -> Run | None:
        if state.run is not None or not state.inbox or not self._may_go_on(state):
            return self._begin(state)
        async with self._models.tape.taking(state.agent.id) as most:
            return self._begin(state, most or ALL_MAIL)

    def _may_go_on(self, state: AgentState) -> bool:
        return not state.is_halted and self._may_run(state.agent.id)

    def _begin(self, state: AgentState, most: int = ALL_MAIL) -> Run | None:
        """Return the run to go on with, or a new one for the pending mail; None if there is nothing to do."""
        with self._store.lock:
            new = state.run is None
            if not self._may_go_on(state) or (new and not state.inbox) or not self._lifecycle.may_step(new_run=new):
                return None
            own = state.agent.limits
            if new and own is not None and state.spent.runs >= own.runs:
                self._halts.meet(state, "runs")
                return None
            if state.run is None or state.run.has_ended:
                with self._store.transaction() as tx:
                    # Nobody waits: until it is durable only a model call depends on it, and that may happen again.
                    tx.patience = "more"
                    if state.run is None:
                        state.run = self.begin(tx, state, most)
                    else:
                        self.go_on(tx, state, state.run)
            return state.run

    def begin(self, tx: Transaction, state: AgentState, most: int) -> Run:
        """Begin a run with the oldest messages of the pending mail."""
        agent, seq = state.agent, tx.seq()
        model = self._models.named(agent.model)  # first: what has no key changes nothing
        conversation = self._conversations.of(state)
        chat_list = self._contacts.show(tx, agent)
        every = self._every_chat_list
        run = Run(
            run_id=f"run-{seq}",
            instructions=agent.instructions,
            model=model,
            settings=agent.settings.over(self._settings()),
            turn_idx=len(conversation) + state.base,
            chat_list=None if every else chat_list,
        )
        self._write_began(tx, state, run, seq, run.chat_list)
        if run.chat_list is not None:
            tx.keep(state, "chain")
            state.chain = state.chain.joined_by([run.chat_list])
        self._steps.take(tx, state, run, chat_list if every else None, most=most)
        # Last, when nothing can fail any more.
        self._lifecycle.spent.runs += 1
        state.spent.runs += 1
        state.failed = None
        return run

    def go_on(self, tx: Transaction, state: AgentState, run: Run) -> None:
        """Begin another attempt of a run whose last one is over, or ended with the process that had it."""
        tx.keep(run, "attempt", "has_ended")
        run.attempt += 1
        run.has_ended = False
        self._write_began(tx, state, run, tx.seq(), None)

    def _write_began(self, tx: Transaction, state: AgentState, run: Run, seq: int, chat_list: str | None) -> None:
        agent, at = state.agent, tx.at
        version = self._contacts.registry.version_of(agent.id)
        tx.add(RunBegan(run.run_id, run.attempt, agent.id, version, seq, at, run.turn_idx, chat_list))
