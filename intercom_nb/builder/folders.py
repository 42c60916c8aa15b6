"""Folders of agents, read and written: one folder each, with its mission, its settings and its documents."""

import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from intercom_nb.agent_spec import AgentSpec
from intercom_nb.checks import AnyPath, checked_flag, checked_path, wrong_type
from intercom_nb.contact_policies import policy_from
from intercom_nb.environment import setting
from intercom_nb.errors import AgentFolderError, InterComError, listed
from intercom_nb.limits import Limits
from intercom_nb.members.agent import Agent, has_made_id
from intercom_nb.members.own_code import functions_from
from intercom_nb.routing.chat_tools import check_tools
from intercom_nb.texts.documents import ALL_BYTES, check_document, split_documents, with_documents
from intercom_nb.texts.instructions import WHOLE
from intercom_nb.texts.names import code_name, nearest, slug

__all__ = ["agents_folder", "load_agents", "save_agents"]

_MEANT = 60.0  # of 100: a name that scores less is not offered as what was meant
_TEXTS = ("mission.md", "instructions.md")
_SETTINGS = ("agent.toml", "settings.json")
_IN_ITS_FILE = ("mission",)  # a text of its own, not a setting
_CALLED = {"begins": "begin"}  # in a folder, where it is the first word of a sentence about what happens
_FIELDS = {
    "name": "a text",
    "id": "a text",
    "description": "a text",
    "mission": "a text",
    "model": "the name of a model",
    "settings": "a table, such as {temperature = 0}",
    "tools": "a list of names",
    "mail": "'when_idle' or 'asap'",
    "begin": "true or false",
    "limits": "a table, such as {tokens = 50000, usd = 1}",
    "notes": "true or false",
    "context": "a number of tokens",
    "team": "a text",
    "contacts": "a word, a team's name, a number, a list of ids, or the name of a function with ()",
    "data": "a table of your own",
}


def agents_folder(path: AnyPath | None = None) -> Path:
    """Return the folder that a path, or else ``AGENTS_PATH``, names."""
    if path is None:
        return Path(setting("AGENTS_PATH") or "agents")
    return checked_path(path, "path", "the path of a folder of agents")


def load_agents(path: AnyPath | None = None, *, tools: Iterable[Callable[..., Any]] = ()) -> list[Agent]:
    """Return the agents of a folder, ordered by the names of their folders.

    Each folder in it is an agent. It holds ``mission.md``, or ``instructions.md``: all the agent is told, in place of
    mission and guideline. ``agent.toml`` or ``settings.json`` may set ``name`` (default: the folder's name),
    ``description``, ``id``, ``model``, ``settings``, ``mail``, ``team``, ``limits``, ``notes``, ``context``,
    ``contacts``, ``data``, ``tools`` (names of functions) and ``begin`` (whether `AgentBuilder.apply` sets it to work):
    all that an agent is (`AgentSpec`), its ``mission`` too where no file says it. The text files of a folder ``files``
    are given to it as documents, at most 64 KiB each and 256 KiB in all. Folders whose name begins with a dot or
    underscore are left out.

    Parameters
    ----------
    path : str or Path, optional
        Default: ``AGENTS_PATH``.
    tools : iterable of callable, optional
        The functions that the settings name.

    Raises
    ------
    AgentFolderError
        If there is no such folder, or something in it is wrong: everything that is, at once, by file and field.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save_agents([Agent("Founder", mission="Market it.")], folder)
    ...     load_agents(folder)
    [<Agent Founder (founder), not added to a service>]
    """
    folder = agents_folder(path)
    if not folder.is_dir():
        raise AgentFolderError(folder, ["there is no such folder; give path=, or set AGENTS_PATH"])
    functions, problems = functions_from(tools), _Problems()
    agents: dict[str, Agent] = {}
    for one in _folders(folder):
        if outside := _links_out(one, folder):
            problems.tell(one, "is a link that leads out of the folder; only what lies in it is read", outside)
            continue
        agent = _agent(one, functions, problems)
        if agent is None:
            continue
        for other, known in agents.items():
            if known.name.casefold() == agent.name.casefold():
                problems.tell(one, f"the name {agent.name!r} is taken by the agent of folder {other}")
            elif not has_made_id(agent) and known.id.casefold() == agent.id.casefold():
                problems.tell(one, f"the id {agent.id!r} is taken by the agent of folder {other}")
        agents[one.name] = agent
    if not agents and not problems:
        problems.append("it holds no folder with an agent in it")
    if problems:
        raise AgentFolderError(folder, problems)
    return list(agents.values())


class _Problems(list[str]):
    """What is wrong, a sentence each."""

    def tell(self, folder: Path, what: str, file: str = "") -> None:
        self.append(f"{folder.name}: {file}: {what}" if file else f"{folder.name}: {what}")


def _folders(folder: Path) -> list[Path]:
    found = (one for one in folder.iterdir() if one.is_dir() and one.name[0] not in "._")
    return sorted(found, key=lambda one: one.name)


def _links_out(folder: Path, root: Path) -> str:
    """Return what of an agent's folder lies elsewhere: whoever wrote it must not choose which of my files are read."""
    read = [folder, *(folder / name for name in (*_TEXTS, *_SETTINGS, "files"))]
    files = folder / "files"
    if _is_inside(files, root) and files.is_dir():
        read += sorted(files.iterdir())
    found = next((one for one in read if not _is_inside(one, root)), None)
    return "" if found is None else str(found.relative_to(folder.parent))


def _agent(folder: Path, functions: Mapping[str, Callable[..., Any]], problems: _Problems) -> Agent | None:
    found = len(problems)
    settings = _settings(folder, problems, functions)
    file, text = _text(folder, problems, settings.pop("mission", None))
    documents = _documents(folder, problems)
    if len(problems) > found:
        return None
    told = {file.removesuffix(".md"): with_documents(text, documents)}
    try:
        agent = Agent(**{"name": folder.name, **_arguments(settings, functions), **told})
        check_tools(agent.tools)
    except (InterComError, ValueError, TypeError, OSError) as error:
        problems.tell(folder, str(error))
        return None
    return agent


def _arguments(settings: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """Return what an `Agent` is made with, of the settings of its folder."""
    given = {next((own for own, called in _CALLED.items() if called == name), name): v for name, v in settings.items()}
    if "tools" in given:
        given["tools"] = [functions[name] for name in given["tools"]]
    if "limits" in given:
        given["limits"] = Limits.from_json(json.dumps(given["limits"]))
    if name := code_name(given["contacts"] if isinstance(given.get("contacts"), str) else None):
        given["contacts"] = functions[name]
    return given


def _settings(
    folder: Path, problems: _Problems, functions: Mapping[str, Callable[..., Any]] | None = None
) -> dict[str, Any]:
    there = [name for name in _SETTINGS if (folder / name).is_file()]
    if len(there) > 1:
        problems.tell(folder, f"there are both {' and '.join(there)}; keep one of them")
    if not there:
        return {}
    file = there[0]
    try:
        text = (folder / file).read_text(encoding="utf-8")
        settings = tomllib.loads(text) if file == "agent.toml" else json.loads(text)
    except (ValueError, OSError, RecursionError) as error:
        problems.tell(folder, f"cannot be read: {error}", file)
        return {}
    if not isinstance(settings, dict):
        problems.tell(folder, "should hold one object", file)
        return {}
    for field, value in settings.items():
        if field not in _FIELDS:
            near = nearest(field, _FIELDS, 1, at_least=_MEANT)
            right = f"did you mean {near[0]!r}?" if near else f"right would be one of {listed(_FIELDS)}"
            problems.tell(folder, f"there is no setting {field!r}; {right}", file)
        elif not _fits(field, value):
            problems.tell(folder, f"{field} is {value!r}; it should be {_FIELDS[field]}", file)
        elif functions is not None and field in ("tools", "contacts"):
            names = value if field == "tools" else filter(None, [code_name(value if isinstance(value, str) else None)])
            _check_names(folder, names, functions, problems)
    return settings


def _fits(field: str, value: Any) -> bool:
    if field in ("begin", "notes"):
        return isinstance(value, bool)
    if field in ("settings", "limits", "data"):
        return isinstance(value, dict)
    if field == "context":
        return isinstance(value, int) and not isinstance(value, bool)
    if field == "tools" or (field == "contacts" and isinstance(value, list)):
        return isinstance(value, list) and all(isinstance(name, str) for name in value)
    if field == "contacts" and isinstance(value, int):
        return not isinstance(value, bool)
    return isinstance(value, str)


def _check_names(
    folder: Path, names: Iterable[str], functions: Mapping[str, Callable[..., Any]], problems: _Problems
) -> None:
    for name in names:
        if name not in functions:
            near = nearest(name, functions, 1, at_least=_MEANT)
            given = listed(functions)
            right = f"did you mean {near[0]!r}?" if near else f"give the function with tools= (given: {given})"
            problems.tell(folder, f"tools: there is no function {name!r}; {right}")


def _text(folder: Path, problems: _Problems, set_to: str | None) -> tuple[str, str]:
    there = [name for name in _TEXTS if (folder / name).is_file()]
    if set_to is not None:
        if there:
            problems.tell(folder, f"there are both {there[0]} and a setting 'mission'; keep one of them")
        return "mission.md", set_to
    if not there:
        problems.tell(folder, "there is no mission.md; write what the agent is for (or instructions.md, used whole)")
    elif len(there) > 1:
        problems.tell(folder, "there are both mission.md and instructions.md; instructions stand in place of a mission")
    else:
        file = there[0]
        try:
            text = (folder / file).read_text(encoding="utf-8").strip()
        except (ValueError, OSError) as error:
            problems.tell(folder, f"cannot be read as UTF-8 text: {error}", file)
            return file, ""
        if file == "mission.md" and text.startswith(WHOLE):
            problems.tell(
                folder, "its first line says that it is the whole instructions; name it instructions.md", file
            )
        return file, text
    return "mission.md", ""


def _documents(folder: Path, problems: _Problems) -> dict[str, str]:
    files, found = folder / "files", dict[str, str]()
    for file in sorted(files.iterdir()) if files.is_dir() else ():
        if file.name[0] == ".":
            continue
        shown = f"files/{file.name}"
        if not file.is_file():
            problems.tell(folder, "is no file; documents lie side by side, without folders", shown)
            continue
        try:
            text = file.read_bytes().decode("utf-8")
        except (UnicodeDecodeError, OSError) as error:
            problems.tell(folder, f"cannot be read as UTF-8 text: {error}", shown)
            continue
        if wrong := check_document(file.name, text):
            problems.tell(folder, wrong, shown)
        found[file.name] = text
    n_bytes = sum(len(text.encode()) for text in found.values())
    if n_bytes > ALL_BYTES:
        problems.tell(folder, f"they have {n_bytes:,} bytes together; at most {ALL_BYTES:,} are allowed", "files")
    return found


def save_agents(agents: Iterable[Agent], path: AnyPath, *, update: bool = False) -> list[Path]:
    """Write agents as folders that `load_agents` reads, numbered in their order; return the folders.

    Nothing is written unless all of it can be, and nothing outside the path.

    Parameters
    ----------
    agents : iterable of Agent
        Of a service or of none: ``save_agents(intercom.registry, "agents")``.
    path : str or Path
        The folder to write them into; made if it is not there.
    update : bool, default False
        Rewrite the folders of agents that have one there already, by their names, and leave all others alone. Without
        it, a path that holds folders of agents is refused.

    Raises
    ------
    AgentFolderError
        If that cannot be done: everything that stands in the way, at once.
    """
    agents = _checked_agents(agents)
    root, problems = checked_path(path, "path", "the path of a folder to write"), _Problems()
    checked_flag(update, "update")
    there = _folders(root) if root.is_dir() else []
    if there and not update:
        raise AgentFolderError(root, [f"it holds agents already ({listed(f.name for f in there)}); update=True"])
    homes = {str(_settings(one, problems).get("name", one.name)).casefold(): one for one in there}
    n = max((int(one.name.split("_")[0]) for one in there if one.name.split("_")[0].isdecimal()), default=0)
    width = max(2, len(str(n + len(agents))))
    written: dict[Path, bytes] = {}
    folders = []
    for agent in agents:
        known = agent.name.casefold()
        if known not in homes:
            n += 1
            homes[known] = root / f"{n:0{width}}_{slug(agent.name)}"
        folder = homes[known]
        if folder in folders:
            problems.tell(folder, f"two agents have the name {agent.name!r}")
        folders.append(folder)
        files = dict(_files(agent, folder, problems))
        strangers = {f.name for f in (folder / "files").glob("*") if f.name[0] != "."} - {f.name for f in files}
        if strangers:
            problems.tell(folder, f"{listed(sorted(strangers))} is no document of {agent.name}; take it away", "files")
        written |= files
    problems += [f"{file} would lie outside of it, through a link" for file in written if not _is_inside(file, root)]
    if problems:
        raise AgentFolderError(root, problems)
    _write(folders, written)
    return folders


def _checked_agents(agents: object) -> list[Agent]:
    right = "agents: a list of them, intercom.agents or intercom.registry"
    if isinstance(agents, str | bytes) or not isinstance(agents, Iterable):
        raise wrong_type("agents", agents, right)
    given = list(agents)
    for agent in given:
        if not isinstance(agent, Agent):
            raise wrong_type("one of the agents", agent, right)
    return given


def _files(agent: Agent, folder: Path, problems: _Problems) -> Iterator[tuple[Path, bytes]]:
    if code_name(agent.spec.model):
        problems.tell(folder, f"the model of {agent.name} is an assistant; only a model's name can be written")
    kept = {_CALLED.get(name, name): _written(name, value) for name, value in _said(agent).items()}
    text, documents = split_documents(agent.mission.removeprefix(WHOLE))
    if _read_back(text) == text:
        yield folder / _TEXTS[agent.mission.startswith(WHOLE)], f"{text}\n".encode()
    else:
        kept, documents = kept | {"mission": agent.mission}, {}
    yield folder / "settings.json", (json.dumps(kept, ensure_ascii=False, indent=2) + "\n").encode()
    for name, document in documents.items():
        yield folder / "files" / name, document.encode()


def _read_back(text: str) -> str:
    """Return what a text file gives back of a text: neither space at its ends nor every line break outlasts it."""
    return text.strip().replace("\r\n", "\n").replace("\r", "\n")


def _said(agent: Agent) -> dict[str, Any]:
    """Return the fields of an agent that its folder has to say: those that are not as they would be without it."""
    usual = AgentSpec(name=agent.name, id=slug(agent.name))
    hidden = {"id"} if has_made_id(agent) and agent.id == slug(agent.name) else set()
    found = {
        name: getattr(agent.spec, name)
        for name in AgentSpec.names()
        if name not in _IN_ITS_FILE and name not in hidden and getattr(agent.spec, name) != getattr(usual, name)
    }
    found.pop("model", None) if code_name(agent.spec.model) else None
    written_id = {} if "id" in hidden else {"id": agent.id}
    return {"name": agent.name, **written_id, **found}


def _written(name: str, value: Any) -> Any:
    """Return the value of a field as settings.json has it."""
    if name == "limits":
        return json.loads(value.to_json())
    if name == "settings":
        return value.as_dict()
    if name == "contacts":
        policy = value if code_name(value) else policy_from(value, {})
        return list(policy) if isinstance(policy, tuple) else policy
    return dict(value) if name == "data" else list(value) if name == "tools" else value


def _is_inside(file: Path, root: Path) -> bool:
    return file.resolve().is_relative_to(root.resolve())


def _write(folders: Iterable[Path], files: Mapping[Path, bytes]) -> None:
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    for folder in folders:
        for name in (*_TEXTS, *_SETTINGS):
            if folder / name not in files:
                (folder / name).unlink(missing_ok=True)
