"""What a service has in memory, and what the log says that it should have: the two are compared."""

from types import SimpleNamespace

from intercom_nb.routing.courtesy import channel_of

__all__ = ["remembered", "told"]


def remembered(intercom):
    """Return what a service has in memory, as the state of a log says it."""
    engine = intercom._engine
    states = engine.inboxes.states
    runs = {s.agent.id: s.run or s.failed for s in states.values()}
    return SimpleNamespace(
        members=[(m.id, engine.registry.version_of(m.id), m.spec) for m in intercom.registry.members],
        chats=[(c.id, c.name, c.description, c.admin_id, c.members) for c in intercom.chats],
        pending={s.agent.id: sorted([*s.inbox, *s.held_mail], key=lambda m: m.seq) for s in states.values()},
        kept={s.agent.id: s.held_mail for s in states.values()},
        runs={
            agent_id: (r.run_id, r.attempt, r.step, r.first_step, r.waiting_items, dict(r.outputs), r.turn_idx)
            for agent_id, r in runs.items()
            if r is not None
        },
        spent=engine.lifecycle.spent,
        spent_of={s.agent.id: s.spent for s in states.values()},
        told={s.agent.id: s.told for s in states.values() if s.told},
        paused={s.agent.id for s in states.values() if s.paused},
        limited={s.agent.id: s.limit for s in states.values() if s.limit},
        talked={one.id: set(engine.contacts.parts_of(one.id).talked) for one in intercom.registry},
        found={one.id: set(engine.contacts.parts_of(one.id).found) for one in intercom.registry},
        conversations={one.id: one.conversation for one in intercom.registry},
        options={name: value for name, value in engine.options.kept().items() if name not in ("model", "base_url")},
    )


def told(at, said):
    """Return what a service should have in memory that goes on from a state of the log."""
    agents = [member.spec.id for member in at.members if member.kind == "agent"]
    pending = {one: [m for agent_id, m in at.pending if agent_id == one] for one in agents}
    spent = {one: at.spent_of.get(one, type(at.spent)()) for one in agents}
    return SimpleNamespace(
        members=[(m.spec.id, m.version, m.spec) for m in at.members],
        chats=[(c.chat_id, c.name, c.description, c.admin_id, c.members) for c in at.chats],
        pending=pending,
        kept={one: [m for m in pending[one] if m.seq >= at.holds.get(channel_of(m), m.seq + 1)] for one in agents},
        runs={
            r.agent_id: (r.run_id, r.attempt, r.step, r.first_step, r.waiting_items, dict(r.outputs), r.turn_idx)
            for r in at.runs
            if r.reason in (None, "stopped", "interrupted", "failed")
        },
        spent=at.spent,
        spent_of=spent,
        told={one: set(keys) for one, keys in at.told.items()},
        paused={one for one, reason in at.halts if reason == "paused" and one is not None},
        limited={one: reason for one, reason in at.halts if reason != "paused" and one is not None},
        talked={one: {c for a, c, how in at.contacts if a == one and how == "talked"} for one in agents},
        found={one: {c for a, c, how in at.contacts if a == one and how == "found"} for one in agents},
        conversations={one: said[one] for one in agents},
        options={name: value for name, value in at.options.items() if name not in ("model", "base_url")},
    )
