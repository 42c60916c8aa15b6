"""Static HTML of agents, chats and services, for the last line of a cell. What agents wrote is text, never markup."""

from collections.abc import Mapping, Sequence
from html import escape

from intercom_nb.messages import Item, item_type

__all__ = ["agent_html", "chat_html", "report_html", "service_html"]

_SHOWN_ITEMS = 6
_CELL = "style='text-align:left;vertical-align:top;white-space:pre-wrap;unicode-bidi:isolate;max-width:48em'"
_NUMBER = "style='text-align:right'"


def _table(rows: Sequence[tuple[str, str]], caption: str) -> str:
    body = "".join(f"<tr><th {_CELL}>{escape(key)}</th><td {_CELL}>{escape(value)}</td></tr>" for key, value in rows)
    return f"<table><caption {_CELL}><b>{escape(caption)}</b></caption><tbody>{body}</tbody></table>"


def report_html(caption: str, rows: Sequence[tuple[str, str]]) -> str:
    """Return a table of two columns."""
    return _table(rows, caption)


def agent_html(who: Mapping[str, str], conversation: Sequence[Item]) -> str:
    """Return an agent as a table: what it is, and the last items of its conversation."""
    name = who["name"]
    rows = [(key, value) for key, value in who.items() if key != "name"]
    rows += [(item_type(item), _short(item)) for item in conversation[-_SHOWN_ITEMS:]]
    return _table(rows, f"Agent {name}")


def chat_html(what: Mapping[str, str]) -> str:
    """Return a chat as a table."""
    return _table([(key, value) for key, value in what.items() if key != "name"], f"Chat {what['name']}")


def service_html(
    what: Mapping[str, str], agents: Sequence[tuple[str, str, str]], who: Mapping[str, Mapping[str, int]]
) -> str:
    """Return a service as tables: its state, its agents, and who wrote to whom.

    Parameters
    ----------
    what : mapping
        Name of a fact → the fact; ``name`` is the caption.
    agents : sequence of (name, status, description)
        One row each.
    who : mapping
        Sender → receiver → deliveries.
    """
    state = _table([(key, value) for key, value in what.items() if key != "name"], f"InterComService {what['name']}")
    people = _table([(name, f"{status} · {description}") for name, status, description in agents], "Agents")
    return state + people + who_html(who)


def who_html(who: Mapping[str, Mapping[str, int]]) -> str:
    """Return who wrote to whom as a matrix of deliveries, one row a sender."""
    receivers = list(dict.fromkeys(name for row in who.values() for name in row))
    head = "".join(f"<th {_CELL}>{escape(name)}</th>" for name in receivers)
    rows = "".join(
        f"<tr><th {_CELL}>{escape(sender)}</th>"
        + "".join(f"<td {_NUMBER}>{row.get(name, '') or '·'}</td>" for name in receivers)
        + "</tr>"
        for sender, row in who.items()
    )
    caption = f"<caption {_CELL}><b>Who wrote to whom</b> (deliveries; a row is a sender)</caption>"
    return f"<table>{caption}<thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _short(item: Item, limit: int = 300) -> str:
    text = str(item.get("content") or item.get("output") or f"{item.get('name', '')}({item.get('arguments', '')})")
    return text if len(text) <= limit else text[:limit] + "…"
