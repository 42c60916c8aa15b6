"""Whom an agent is shown: the forms that a policy of contacts can have, and teams.

A policy says what stands in a chat list. Who may reach whom is a rule of its own (``may_contact``).
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from intercom_nb.checks import shown, wrong_type
from intercom_nb.errors import InvalidToolError
from intercom_nb.texts.names import checked_text, code_name, code_text

__all__ = [
    "POLICY_WORDS",
    "ContactPolicy",
    "checked_contacts",
    "checked_team",
    "is_above",
    "is_within",
    "policy_from",
    "policy_text",
]

ContactPolicy = str | int | Iterable[str] | Callable[..., Iterable[Any]] | None
"""``everyone``, ``relevant``, ``team``, a team's name, a number (of the most relevant), a list, a function, or None."""

POLICY_WORDS = ("everyone", "relevant", "team")
_FORMS = f"one of {', '.join(POLICY_WORDS)}, the name of a team, a number, a list of ids, or a function"
_TEAM = re.compile(r"[\w.&+-]+( [\w.&+-]+)*(/[\w.&+-]+( [\w.&+-]+)*)*")
_FUNCTION = re.compile(r"([^\W\d]\w*)\(\)")


def checked_team(team: object) -> str:
    """Return a team's name, such as ``design`` or ``studio/design``; empty for none.

    Raises
    ------
    TypeError
        If it is no str.
    ValueError
        If it cannot be a team's name, or is a word that says something else.
    """
    if not isinstance(team, str):
        raise TypeError(f"team={shown(team)}: it should be a str, such as 'design' or 'studio/design'")
    if team and (not _TEAM.fullmatch(team) or team in POLICY_WORDS or team.isdecimal()):
        right = f"words joined by slashes, as 'studio/design'; none of {', '.join(POLICY_WORDS)}"
        raise ValueError(f"team={shown(team)}: it should be {right}")
    return team


def checked_contacts(contacts: ContactPolicy, *, named: bool = False) -> ContactPolicy:
    """Return a policy that can be followed; a list of contacts as a tuple.

    Parameters
    ----------
    contacts : ContactPolicy
        As it was given.
    named : bool, default False
        Whether a function needs a name, by which it is known in the log.

    Raises
    ------
    TypeError, ValueError
        If it is nothing of the kind.
    """
    if contacts is None or isinstance(contacts, str):
        if contacts not in (None, *POLICY_WORDS) and not (contacts and checked_team(contacts)):
            raise ValueError(
                f"contacts={shown(contacts)}: it should be one of {', '.join(POLICY_WORDS)}, or the name of a team"
            )
        return contacts
    if callable(contacts):
        if named and not _FUNCTION.fullmatch(f"{getattr(contacts, '__name__', '')}()"):
            raise InvalidToolError(contacts, "as contacts of one agent it needs a name; write it with def")
        return contacts
    if isinstance(contacts, int):
        if isinstance(contacts, bool) or contacts < 1:
            raise ValueError(f"contacts={shown(contacts)}: it should be a number above 0, of the most relevant to show")
        return contacts
    if isinstance(contacts, bytes | Mapping) or not isinstance(contacts, Iterable):
        raise wrong_type("contacts", contacts, _FORMS)
    listed = tuple(contacts)
    if not all(isinstance(one, str) for one in listed):
        raise wrong_type("contacts", contacts, "a list of ids, names or teams")
    return tuple(checked_text(one, "contacts") for one in listed)


def policy_text(contacts: ContactPolicy) -> str | None:
    """Return a checked policy as the log keeps it; of a function, its name.

    Examples
    --------
    >>> policy_text("relevant"), policy_text(30), policy_text(("ann", "studio")), policy_text(is_within)
    ('relevant', '30', '["ann", "studio"]', 'is_within()')
    """
    if contacts is None or isinstance(contacts, str):
        return contacts
    if callable(contacts):
        return code_text(getattr(contacts, "__name__", "function"))
    return str(contacts) if isinstance(contacts, int) else json.dumps(list(contacts), ensure_ascii=False)


def policy_from(text: str | None, functions: Mapping[str, Callable[..., Any]]) -> ContactPolicy:
    """Return the policy that `policy_text` was given."""
    if text is None:
        return None
    if text.startswith("["):
        return tuple(json.loads(text))
    if name := code_name(text):
        return functions[name]
    return int(text) if text.isdecimal() else text


def is_within(team: str, of: str) -> bool:
    """Return whether a team is another one or part of it.

    Examples
    --------
    >>> is_within("studio/design", "studio"), is_within("studio", "studio"), is_within("studio-2", "studio")
    (True, True, False)
    """
    return f"{team}/".casefold().startswith(f"{of}/".casefold()) and bool(of)


def is_above(team: str, of: str) -> bool:
    """Return whether a team is one that another is part of."""
    return bool(team) and team != of and is_within(of, team)
