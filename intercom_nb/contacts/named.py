"""What policies of contacts name: a slip of the pen, or a team that nobody is in yet."""

from collections.abc import Iterable

from intercom_nb.checks import nearly
from intercom_nb.contact_policies import POLICY_WORDS, ContactPolicy, is_within
from intercom_nb.errors import listed
from intercom_nb.members.registry import Registry

__all__ = ["check_words", "nobody_has"]


def check_words(policies: Iterable[ContactPolicy], teams: Iterable[str]) -> None:
    """Check that no policy is a word misspelt: one that looks like ``team``, say, and is nobody's team.

    Raises
    ------
    ValueError
        If one is.
    """
    known = list(dict.fromkeys(filter(None, teams)))
    for policy in policies:
        if not isinstance(policy, str) or policy in POLICY_WORDS or any(is_within(team, policy) for team in known):
            continue
        if near := nearly(policy.casefold(), POLICY_WORDS):
            of = listed(sorted(known))
            raise ValueError(f"contacts={policy!r}: nobody is in such a team; did you mean {near!r}? (teams: {of})")


def nobody_has(policies: Iterable[ContactPolicy], registry: Registry) -> list[str]:
    """Return what policies name that is neither a team nor, in a list, a member; each once."""
    found: dict[str, None] = {}
    teams = {agent.team for agent in registry.get_agents() if agent.team}
    for policy in policies:
        named = (policy,) if isinstance(policy, str) else policy if isinstance(policy, tuple) else ()
        for one in named:
            if isinstance(policy, str) and one in POLICY_WORDS:
                continue
            is_member = isinstance(policy, tuple) and registry.find(one) is not None
            if not is_member and not any(is_within(team, str(one)) for team in teams):
                found[str(one)] = None
    return list(found)
