"""How values are shown to people: counts in words, and small tables as plain text and as HTML."""

from collections.abc import Sequence
from html import escape
from unicodedata import east_asian_width

__all__ = ["counted", "html_table", "text_table"]

_MOST = 20  # rows; of more, the first and the last of them
_WIDEST = 60  # characters of a cell
_CELL = "style='text-align:left;vertical-align:top;white-space:pre-wrap;unicode-bidi:isolate;max-width:48em'"


def counted(n: int, thing: str) -> str:
    """Return how many things there are, in words.

    Examples
    --------
    >>> counted(1, "chat"), counted(1_200, "message"), counted(2, "person")
    ('1 chat', '1,200 messages', '2 people')
    """
    many = "people" if thing == "person" else f"{thing}s"
    return f"1 {thing}" if n == 1 else f"{n:,} {many}"


def text_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as lines of text, cut where nobody would read on.

    Examples
    --------
    >>> print(text_table("2 agents", ["id", "status"], [["ann", "idle"], ["marketing-expert", "thinking"]]))
    2 agents
      id                status
      ann               idle
      marketing-expert  thinking
    """
    if not rows:
        return title
    first, left_out, last = _parts(rows)
    cells = [[_cut(cell) for cell in row] for row in (head, *first, *last)]
    widths = [max(_width(row[n]) for row in cells) for n in range(len(head))]
    lines = [
        "  " + "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    if left_out:
        lines.insert(1 + len(first), f"  … {left_out:,} more …")
    return "\n".join([title, *lines])


def html_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as HTML; whatever agents wrote in it is text."""
    caption = f"<caption {_CELL}><b>{escape(title)}</b></caption>"
    if not rows:
        return f"<table>{caption}</table>"
    first, left_out, last = _parts(rows)
    body = [_row("td", [_cut(cell, 300) for cell in row]) for row in first]
    if left_out:
        body.append(f"<tr><td {_CELL} colspan='{len(head)}'>… {left_out:,} more …</td></tr>")
    body += [_row("td", [_cut(cell, 300) for cell in row]) for row in last]
    return f"<table>{caption}<thead>{_row('th', head)}</thead><tbody>{''.join(body)}</tbody></table>"


def _row(kind: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{kind} {_CELL}>{escape(cell)}</{kind}>" for cell in cells) + "</tr>"


def _parts(rows: Sequence[Sequence[str]]) -> tuple[Sequence[Sequence[str]], int, Sequence[Sequence[str]]]:
    if len(rows) <= _MOST:
        return rows, 0, ()
    half = _MOST // 2
    return rows[:half], len(rows) - 2 * half, rows[-half:]


def _cut(cell: str, most: int = _WIDEST) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in cell[: 2 * most]).split())
    return line if len(line) <= most and len(cell) <= 2 * most else line[: most - 1] + "…"


def _width(cell: str) -> int:
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in cell)
