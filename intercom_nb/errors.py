"""Everything that can go wrong, as one tree; each error is built from facts and writes its own sentence.

::

    InterComError
    ├── UnknownIdError        no agent, person or chat answers to that id or name
    │   └── SharedNameError   a name that several have
    ├── InvalidNameError      a name that is empty, taken, or would break the text forms
    ├── ChatRuleError         a rule of chats: members only, admin only, three at least, not oneself
    ├── InvalidToolError      a Python function that cannot be a tool
    ├── ToolCallError         a tool call that cannot be carried out as written
    ├── ModelError            a model call that failed for good
    │   ├── MissingKeyError   a model was named and there is no key to call it with
    │   └── RecordingError    a recording that is not there, or that a call does not match
    ├── LifecycleError        asked of a service that has stopped or has not started
    ├── LogError              the log cannot be written
    │   ├── LogInUseError     another service is writing this log
    │   ├── LogDamagedError   not a log, or one that was cut short
    │   └── NewerLogError     written by a later version of this package
    └── AgentFolderError      a folder of agents that cannot be read as it stands

The same sentence serves both readers: raised at once in the cell of the person who made the mistake,
or handed to the model as the output of its tool call.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = [
    "AgentFolderError",
    "ChatRuleError",
    "InterComError",
    "InvalidNameError",
    "InvalidToolError",
    "LifecycleError",
    "LogDamagedError",
    "LogError",
    "LogInUseError",
    "MissingKeyError",
    "ModelError",
    "NewerLogError",
    "RecordingError",
    "SharedNameError",
    "ToolCallError",
    "UnknownIdError",
    "UnstorableError",
]

_SHOWN = 20  # names listed in a sentence before "and n more": enough to mend a typo, short enough to read
_LONGEST_ID = 100  # characters of a wrong id that a sentence about it repeats


def listed(names: Iterable[str]) -> str:
    """Return names as one readable list, cut after twenty; ``none`` if there are none."""
    known = list(names)
    if not known:
        return "none"
    more = len(known) - _SHOWN
    return ", ".join(known[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def told_of(error: BaseException) -> str:
    """Return an exception of somebody else's code in words: its kind, and what it says, if it can say it.

    Examples
    --------
    >>> told_of(KeyError("a"))
    "KeyError: 'a'"
    """
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - a faulty exception is still what was raised
        said = "it cannot say what"
    return f"{type(error).__name__}: {said}"


def _cut(given: str) -> str:
    return given if len(given) <= _LONGEST_ID else f"{given[:_LONGEST_ID]}…"


class InterComError(Exception):
    """Root of every error this package raises on purpose."""


class UnknownIdError(InterComError, LookupError):
    """No agent, person or chat answers to an id or name.

    Attributes
    ----------
    given : str
        What was asked for.
    known : tuple of str
        The ids that would have been right; of very many, those that look most like it.
    """

    def __init__(
        self, given: object, known: Iterable[str], *, kind: str = "agent or chat", more: str = "", place: str = ""
    ) -> None:
        self.given = str(given)
        self.known = tuple(known)
        asked = _cut(self.given)
        if place:
            right = f"it is {place}"
        elif more:
            right = f"the nearest are: {listed(self.known)}; {more}"
        else:
            right = f"right would be one of: {listed(self.known)}"
        super().__init__(f"no {kind} has the id {asked!r}; {right}")


class SharedNameError(UnknownIdError):
    """A name that several have, where one of them is meant.

    Attributes
    ----------
    given : str
        What was asked for.
    known : tuple of str
        The ids of those who have it.
    """

    def __init__(self, given: object, known: Iterable[str]) -> None:
        super().__init__(given, known)
        self.args = (f"{len(self.known)} have the name {_cut(self.given)!r}; give the id of one: {listed(self.known)}",)


class InvalidNameError(InterComError, ValueError):
    """A name or id that is empty, taken, or would break the text forms.

    Attributes
    ----------
    given : str
        The name as it was given.
    """

    def __init__(self, given: object, what_is_wrong: str) -> None:
        self.given = str(given)
        super().__init__(f"the name {_cut(self.given)!r} {what_is_wrong}")


class ChatRuleError(InterComError, ValueError):
    """A rule of chats was broken: members only, admin only, three at least, never oneself."""


class InvalidToolError(InterComError, TypeError):
    """A Python function that cannot be a tool.

    Attributes
    ----------
    function : object
        What was given.
    """

    def __init__(self, function: object, what_is_wrong: str) -> None:
        self.function = function
        name = getattr(function, "__name__", None) or repr(function)
        super().__init__(f"{name} cannot be a tool: {what_is_wrong}")


class ToolCallError(InterComError, ValueError):
    """A tool call that cannot be carried out as it was written."""


class ModelError(InterComError):
    """A model call that failed for good, after the client's own retries.

    Attributes
    ----------
    status : int or None
        The HTTP status, where there was one.
    """

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        self.status = status
        super().__init__(sentence)


class MissingKeyError(ModelError):
    """A model was named, and nothing says how to reach it.

    Attributes
    ----------
    model : str
        The model that was named.
    """

    def __init__(self, model: str, sentence: str = "") -> None:
        self.model = model
        super().__init__(
            sentence
            or f"the model {model!r} needs a key: set OPENAI_API_KEY (in the environment or .env), or OPENAI_BASE_URL "
            "for a server of your own; model='offline' needs neither"
        )


class RecordingError(ModelError):
    """A recording that is not there, cannot be read or written, or that a model call does not match."""


class LifecycleError(InterComError, RuntimeError):
    """Asked of a service that has stopped, or that was never started."""


class LogError(InterComError, OSError):
    """The log cannot be written or read.

    Attributes
    ----------
    path : Path or None
        The log's file or folder; None for a log in memory.
    """

    def __init__(self, path: Path | None, what_is_wrong: str) -> None:
        self.path = path
        super().__init__(f"{path if path is not None else 'the log in memory'}: {what_is_wrong}")

    def __str__(self) -> str:
        """Return the sentence alone (an OSError would print a tuple)."""
        return str(self.args[0])


class UnstorableError(InterComError, ValueError):
    """A value that no log can keep; nothing of what was to be written with it is, and the log goes on."""

    def __init__(self, why: object) -> None:
        super().__init__(f"the log cannot keep a value ({why}); nothing of this is written, and the log goes on")


class LogInUseError(LogError):
    """Another service is writing this log."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, "another service is writing this log; stop() it first, or read the log without opening it"
        )


class LogDamagedError(LogError):
    """Not a log of this package, or one that was cut short."""


class NewerLogError(LogError):
    """Written by a later version of this package.

    Attributes
    ----------
    found, supported : int
        The schema of the log, and the newest this package reads.
    """

    def __init__(self, path: Path, found: int, supported: int) -> None:
        self.found = found
        self.supported = supported
        super().__init__(
            path, f"its schema is {found}, this version of intercom_nb reads up to {supported}; update intercom_nb"
        )


class AgentFolderError(InterComError, ValueError):
    """A folder of agents that cannot be read as it stands; tells everything wrong with it at once.

    Attributes
    ----------
    problems : tuple of str
        One sentence each, by file and field.
    """

    def __init__(self, folder: Path, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{folder}: " + "; ".join(self.problems))
