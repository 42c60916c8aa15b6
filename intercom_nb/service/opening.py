"""How a service comes about: with a new log, or with one that there is already and that goes on as it was."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from intercom_nb.checks import AnyPath
from intercom_nb.environment import setting
from intercom_nb.errors import LogError, MissingKeyError
from intercom_nb.log.door import as_damage
from intercom_nb.log.state import State, place_of, read_state
from intercom_nb.log.store import Store
from intercom_nb.members.own_code import OwnCode, tools_from
from intercom_nb.models import (
    OFFLINE_MODEL,
    OPENAI_URL,
    Assistant,
    AsyncOpenAI,
    ClientOptions,
    ModelChoice,
    Models,
    plays_by_environment,
    refusal_of_server,
    without_credentials,
)
from intercom_nb.notebook import note
from intercom_nb.runs.lifecycle import Lifecycle
from intercom_nb.runs.runtime import InThread
from intercom_nb.service.engine import Engine, Shown
from intercom_nb.service.options import Options
from intercom_nb.service.recovery import Loader, check_code
from intercom_nb.texts.fences import FENCE
from intercom_nb.texts.names import checked_name, slug
from intercom_nb.tools import functions_by_name

__all__ = ["Given", "Ground", "checked_options", "made", "opened"]


_NO_OPTIONS = ("others", "resume_tools")  # of what is given, what is no option of a service


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is given when a log is opened; None for what is to stay as it was."""

    model: ModelChoice = None
    settings: Mapping[str, Any] | None = None
    limits: Any = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    client: AsyncOpenAI | None = field(default=None, repr=False)
    play: AnyPath | None = None
    contacts: Any = None
    may_contact: Any = None
    resume_tools: bool = False
    others: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def options(self) -> dict[str, Any]:
        """Return them as options by name.

        Raises
        ------
        TypeError, ValueError
            If the others are no options of a service, or are given by their own name too.
        """
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _NO_OPTIONS}
        named = {name: value for name, value in own.items() if value is not None}
        return {**checked_options(self.others), **named}


def checked_options(options: object) -> Mapping[str, Any]:
    """Return what is given as options by name, checked.

    Raises
    ------
    TypeError, ValueError
        If it is no dict of options of a service.
    """
    if not isinstance(options, Mapping):
        raise TypeError(f"options={options!r}: it should be a dict, such as {{'courtesy': False}}")
    known = {one.name for one in fields(Options)}
    for name in options:
        if name not in known:
            raise ValueError(f"options: there is no option {name!r}; right would be one of {', '.join(sorted(known))}")
    return options


def made(name: str, options: Options, folder: Path | None, *, show: Shown) -> Engine:
    """Return the parts of a new service, and its log.

    Raises
    ------
    MissingKeyError
        If a model is named and nothing says how to reach it.
    LogError
        If the folder cannot be written.
    """
    models = _models(name, options)
    lifecycle = Lifecycle(options.limits)
    runtime = InThread(name, lambda: lifecycle.halt("stopped", "loop"))
    store = None
    try:
        store = Store.create(
            folder,
            slug(name),
            {"name": name, **_fence(name, models)},
            options=options.kept_on(models),
            loop=runtime,
            on_failure=lambda: lifecycle.halt("stopped", "log"),
        )
        return Engine(
            name, options=options, store=store, runtime=runtime, lifecycle=lifecycle, models=models, show=show
        )  # fmt: skip
    except BaseException:  # a keyboard interrupt in a cell, too
        if store is not None:
            store.unmake()
        raise


def _fence(name: str, models: Models) -> dict[str, str]:
    """Return the key of the marks that fence messages, where it is not to be a random one.

    What is played is sent byte for byte as it was. The stand-in reads frames as a program does, whatever their texts
    say, so what it was given comes out the same each time.
    """
    key = models.tape.fence or (name if models.default_text == OFFLINE_MODEL else "")
    return {FENCE: key} if key else {}


def opened(path: Path, given: Given, tools: Iterable[Callable[..., Any]], *, show: Shown) -> Engine:
    """Return the parts of a service that goes on with a log.

    Raises
    ------
    LogError
        If the log cannot be gone on with, or needs functions or an assistant that were not given.
    MissingKeyError
        If nothing says how to reach its model.
    """
    given.options()  # first: what is wrong with it is no matter of the log
    ground = Ground(path.stem, lambda loop, fail: Store.open(path, loop=loop, on_failure=fail), path)
    try:
        return ground.carry(given, tools, show=show)
    except BaseException:  # an interrupt, too, must let the log go
        if ground.store is not None:
            ground.store.close()
        raise


class Ground:
    """What a service goes on from: a log that there is, and where its agents will run.

    Parameters
    ----------
    name : str
        For the threads.
    store_of : callable
        Given the agents' loop and what is to be called when the log cannot be written, returns the log.
    path : Path
        What the log is called in errors.
    """

    def __init__(self, name: str, store_of: Callable[[InThread, Callable[[], None]], Store], path: Path) -> None:
        self.path = path
        self.lifecycle = lifecycle = Lifecycle(Options().limits)
        self.runtime = InThread(name, lambda: lifecycle.halt("stopped", "loop"))
        self.store: Store | None = None
        self._store_of = store_of

    def carry(
        self,
        given: Given,
        tools: Iterable[Callable[..., Any]],
        *,
        show: Shown,
        code: Mapping[str, OwnCode] = MappingProxyType({}),
        go_on: Callable[[Loader], None] = Loader.take_up,
    ) -> Engine:
        """Return the parts of a service on it.

        Parameters
        ----------
        given, tools, show
            As for `opened`.
        code : mapping of str to OwnCode
            What some agents have of the caller's own code, where that is known already.
        go_on : callable
            Takes the log up, once all is loaded.
        """
        path, anew, lifecycle = self.path, given.options(), self.lifecycle
        functions = functions_by_name(tool.function for tool in tools_from(tools))
        store = self.store = self._store_of(self.runtime, lambda: lifecycle.halt("stopped", "log"))
        state = _state_of(path, store)
        with as_damage(path):
            meta = store.meta
            name = checked_name(meta["name"], kind="service")
            meta["log_id"], meta["created_at"]  # a log that lacks one is damaged
            Options.from_kept(state.options)  # by itself: what is wrong with what was given is told as that
            Options.needed(state.options)
        options = _options_of(path, state, anew)
        self.lifecycle.go_on_from(state.spent, state.seconds, options.limits)
        models = _models(name, options, _since(store, state))
        assistant = _assistant(anew, models)
        check_code(state, functions, path, assistant=assistant is not None or not models.tape.live, code=code)
        runtime = self.runtime
        engine = Engine(
            name, options=options, store=store, runtime=runtime, lifecycle=lifecycle, models=models, show=show
        )  # fmt: skip
        loader = Loader(engine, state, store.rows, resume_tools=given.resume_tools)
        with as_damage(path):
            loader.load(functions, assistant, code)
        go_on(loader)
        if told := loader.not_made:
            note(f"{name}: {told}")
        engine.note_given(anew, state.options)
        engine.settle()
        return engine


def _since(store: Store, state: State) -> tuple[int, int] | None:
    """Return what a branch that was just made has in common with a log of the same past: a place, and its time."""
    if store.meta.get("place") != str(state.place):
        return None
    ((at,),) = store.rows("SELECT at FROM places WHERE seq = ?", state.place)
    return state.place, at


def _state_of(path: Path, store: Store) -> State:
    """Return what a log says; values in it that cannot be are damage.

    Raises
    ------
    LogDamagedError
        If a value is not what it should be.
    """
    with as_damage(path), store.reading() as query:
        return read_state(query, place_of(query, None))


def _assistant(anew: Mapping[str, Any], models: Models) -> Assistant | None:
    """Return what stands for the assistants that only code can give, of the service and of its agents."""
    model = anew.get("model")
    # Whoever goes on offline on purpose means everybody.
    return models.default.app if model == OFFLINE_MODEL or (model is not None and not isinstance(model, str)) else None


def _models(name: str, options: Options, since: tuple[int, int] | None = None) -> Models:
    return Models(
        options.model,
        base_url=options.base_url,
        api_key=options.api_key,
        client=options.client,
        options=ClientOptions(options.max_concurrency, options.max_retries, options.timeout, options.play, since=since),
        name=slug(name),
    )


def _options_of(path: Path, state: State, anew: Mapping[str, Any]) -> Options:
    """Return the options of a log, with those given anew; what only code can give must be among them."""
    needed = Options.needed(state.options)
    if "contacts" in needed and "contacts" not in anew:
        raise LogError(
            path, f"the function {needed['contacts']}() said whom its agents are shown; give it again: contacts="
        )
    if "may_contact" in needed and "may_contact" not in anew:
        raise LogError(path, "a rule said who may reach whom; give it again: may_contact=")
    if "model" in needed and "model" not in anew and "play" not in anew and not plays_by_environment():
        raise LogError(
            path,
            f"its agents ran on {needed['model']!r}, which only code can give; give it again: open(path, model=…), "
            "or go on without a language model: open(path, model='offline')",
        )
    options = Options.from_kept(state.options, **{**anew, "base_url": anew.get("base_url")})
    return _on_its_server(path, options, state, anew)


def _on_its_server(path: Path, options: Options, state: State, anew: Mapping[str, Any]) -> Options:
    """Return options that reach the server the log was made on: with a key only if somebody said that it goes there."""
    named = options.model if isinstance(options.model, str) else None
    if options.client is not None or options.play is not None or plays_by_environment():
        return options
    if named in (None, OFFLINE_MODEL):
        return options
    if "base_url" in anew:
        return options
    server = json.loads(state.options.get("base_url", "null")) or OPENAI_URL
    known = without_credentials(setting("OPENAI_BASE_URL")) or OPENAI_URL
    key = options.api_key or (setting("OPENAI_API_KEY") if server == known else None)
    is_here = urlsplit(server).hostname in ("127.0.0.1", "localhost", "::1")
    if key is None and not is_here and not (server == known and server != OPENAI_URL):
        where = "at OpenAI" if server == OPENAI_URL else f"on {server}"
        raise MissingKeyError(
            str(named),
            f"{path.name} was made on the model {named!r} {where}, and no key says how to reach it: set OPENAI_API_KEY "
            f"(and OPENAI_BASE_URL, if it is that server's), or give api_key= or client=; "
            "Dashboard(path) looks at it without, and model='offline' goes on without a language model",
        )
    if server == known and options.api_key is None and (refused := refusal_of_server(None)):
        raise MissingKeyError(str(named), refused)
    return replace(options, base_url=_whole_url(server, known), api_key=key)


def _whole_url(server: str, known: str) -> str:
    # Of the environment's own server, its whole address is known, credentials and all.
    found = setting("OPENAI_BASE_URL")
    return found if found is not None and server == known else server
