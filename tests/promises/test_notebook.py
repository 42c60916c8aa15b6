"""A real kernel: agents go on beside the cells, and nothing of theirs appears in any of them."""

import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

import intercom_nb
from intercom_nb import InterComService, ScriptedAssistant

pytestmark = pytest.mark.kernel

PACKAGE = Path(intercom_nb.__file__).parent

SETUP = """
import asyncio, logging, sys, threading, time, warnings
from pathlib import Path
from IPython.display import clear_output, display
from intercom_nb import Agent, Dashboard, InterComService, ScriptedAssistant, call

logging.basicConfig(level=logging.INFO)

def noise(text):
    print("printed", text)
    print("printed to stderr", text, file=sys.stderr)
    display(f"displayed {text}")
    clear_output()
    sys.stderr.write("written to stderr\\n")
    logging.getLogger("tool").warning("logged %s", text)
    logging.warning("logged by the root logger")
    warnings.warn("warned", stacklevel=1)

def shout(text: str) -> str:
    "Make noise in a thread."
    noise(text)
    return "shouted"

async def murmur(text: str) -> str:
    "Make noise on the loop."
    noise(text)
    await asyncio.sleep(0)
    noise(text)
    asyncio.get_running_loop().call_soon(noise, "later")
    return "murmured"

def pong(receiver_id, *calls):
    def policy(request):
        if request["input"][-1].get("role") != "user":
            return "(sent)"
        return [*calls, call("send_message", chat_id=receiver_id, message="It is your turn.")]
    return policy

def threads():
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("intercom"))

def moves(seconds=60):
    "Whether messages go on being exchanged."
    before, deadline = intercom.spent.messages, time.monotonic() + seconds
    while intercom.spent.messages < before + 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    return intercom.spent.messages >= before + 3
"""

MAKE = """
endless = ScriptedAssistant({"Ann": pong("bob"), "Bob": pong("ann")}, delay=0.02)
intercom = InterComService("beside", model=endless, logs="logs", courtesy=False)
intercom.add(Agent("Ann"), Agent("Bob"))
intercom.start()
_ = intercom["ann"].begin()
"""

MAKE_NOISY = """
noisy = {"Ann": pong("bob", call("shout", text="hi")), "Bob": pong("ann", call("murmur", text="hm"))}
intercom = InterComService("beside", model=ScriptedAssistant(noisy, delay=0.02), logs="logs", courtesy=False)
intercom.add(Agent("Ann", tools=[shout]), Agent("Bob", tools=[murmur]))
intercom.start()
_ = intercom["ann"].begin()
"""

MAKE_FINITE = """
script = {"Ann": [call("send_message", chat_id="bob", message="Hello"), "Sent."], "Bob": ["Read."]}
intercom = InterComService("finite", model=ScriptedAssistant(script, delay=0.15), logs=None)
intercom.add(Agent("Ann", description="writes"), Agent("Bob", description="reads"))
_ = intercom.add_person("You")
chat = intercom.create_chat(["ann", "bob"], "All", "everybody", admin_id="you")
intercom.start()
_ = intercom["ann"].begin()
"""


class Kernel:
    """A kernel, and for each cell that was run what appeared below it, then and later."""

    def __init__(self, km: KernelManager) -> None:
        self.km = km
        self.client = km.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.cells: dict[str, list] = {}
        self.stray: list = []

    def run(self, source: str, *, cell_id: str = "", meanwhile: Callable[[], None] = lambda: None) -> list:
        """Run a cell and return its outputs; the list grows if something appears in it later."""
        content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": True}
        metadata = {"cellId": cell_id} if cell_id else {}  # as JupyterLab says which cell it is; nbclient does not
        request = self.client.session.msg("execute_request", {**content, "stop_on_error": False}, metadata=metadata)
        self.client.shell_channel.send(request)
        cell = request["header"]["msg_id"]
        outputs = self.cells.setdefault(cell, [])
        helper = threading.Thread(target=meanwhile)
        helper.start()
        while not self._take(60, cell):
            pass
        helper.join()
        self.client.get_shell_msg(timeout=60)
        return outputs

    def value(self, source: str) -> str:
        """Run a cell and return the text of its last line's value, which is all it may show."""
        (output,) = self.run(source)
        assert output["output_type"] == "execute_result", output
        return output["data"]["text/plain"]

    def subshell(self) -> str:
        """Make another shell in the kernel, as JupyterLab does for widgets, and return its id."""
        self.client.control_channel.send(self.client.session.msg("create_subshell_request", {}))
        return self.client.control_channel.get_msg(timeout=60)["content"]["subshell_id"]

    def settle(self, seconds: float = 0.3) -> None:
        """Take whatever else arrives while no cell runs."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                self._take(left, "")
            except queue.Empty:
                return

    def _take(self, timeout: float, cell: str) -> bool:
        """Put the next message where it belongs; return whether it says that `cell` has ended."""
        message = self.client.get_iopub_msg(timeout=timeout)
        kind, content = message["msg_type"], message["content"]
        parent = message["parent_header"].get("msg_id")
        if kind == "status":
            return parent == cell and content["execution_state"] == "idle"
        if kind == "update_display_data":
            self._update(parent, content)
        # What belongs to no cell is shown in none; JupyterLab lists it in its log console.
        elif parent is not None and kind in ("stream", "display_data", "execute_result", "error", "clear_output"):
            self._append(self.cells.get(parent, self.stray), {"output_type": kind, **content})
        return False

    def _append(self, outputs: list, output: dict) -> None:
        # A text may arrive in pieces; as in a notebook's file, they are one output.
        if outputs and output["output_type"] == "stream" and outputs[-1].get("name") == output["name"]:
            outputs[-1]["text"] += output["text"]
        else:
            outputs.append(output)

    def _update(self, parent: str, content: dict) -> None:
        place = content["transient"]["display_id"]
        shown = [o for o in self.cells.get(parent, []) if o.get("transient", {}).get("display_id") == place]
        assert shown, f"a cell changed the display of another: {content}"
        shown[0].update(content)


@contextmanager
def started(folder: Path, library: Path = PACKAGE.parent):
    """Give a kernel whose working directory is `folder`."""
    env = {**os.environ, "PYTHONPATH": str(library), "IPYTHONDIR": str(folder / ".ipython")}
    km = KernelManager(kernel_name="python3")
    km.start_kernel(env=env, cwd=str(folder))
    kernel = None
    try:
        kernel = Kernel(km)
        yield kernel
    finally:
        if kernel is not None:
            kernel.client.stop_channels()
        if km.is_alive():
            km.shutdown_kernel(now=True)
        km.cleanup_resources()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Give the kernel that most tests share, with what they all need defined."""
    with started(tmp_path_factory.mktemp("kernel")) as kernel:
        assert kernel.run(SETUP) == []
        yield kernel


@pytest.fixture
def kernel(shared):
    """Give the shared kernel; its service is stopped afterwards, and nothing may have appeared where it should not."""
    yield shared
    shared.run("intercom.stop()")
    shared.settle(0.1)
    assert shared.stray == []
    assert shared.value("threads()") == "[]"
    shared.cells.clear()


def test_agents_go_on_while_a_cell_sleeps(kernel):
    """A cell that sleeps for three seconds holds nobody up."""
    assert kernel.run(MAKE) == []
    before = int(kernel.value("len(intercom.messages)"))

    slept = kernel.run("time.sleep(3)")

    after = int(kernel.value("len(intercom.messages)"))
    assert slept == []
    assert after > before + 5


@pytest.mark.parametrize("make", [MAKE, MAKE_NOISY], ids=["silent tools", "noisy tools"])
def test_nothing_of_the_agents_appears_in_any_cell(kernel, make):
    """Every cell shows what it says itself, to the letter, whatever tools print, log and warn meanwhile."""
    made = kernel.run(make)
    ticks = kernel.run("for n in range(5):\n    time.sleep(0.1)\n    print(n, flush=True)")
    awaited = kernel.run("await asyncio.sleep(0.3)")
    errors = kernel.run("print('mine', file=sys.stderr)")
    kernel.settle()  # no cell runs, and the agents go on

    assert kernel.value("moves()") == "True"
    asked = "{i['output'] for a in intercom.registry for i in a.conversation if 'output' in i}"
    assert kernel.value(f"{{'shouted', 'murmured'}} <= {asked}") == str(make == MAKE_NOISY)
    assert made == []
    assert ticks == [{"output_type": "stream", "name": "stdout", "text": "0\n1\n2\n3\n4\n"}]
    assert awaited == []
    assert errors == [{"output_type": "stream", "name": "stderr", "text": "mine\n"}]


def test_running_the_creating_cell_again_replaces_the_service(kernel):
    """One service, one thread for agents, one for the log, and one visible note for each time."""
    first = kernel.run(MAKE)
    for _ in range(3):
        log = kernel.value("str(intercom.log.path)").strip("'")
        again = kernel.run(MAKE)

        (note,) = again
        assert note["output_type"] == "display_data"
        assert list(note["data"]) == ["text/plain"]
        assert log in note["data"]["text/plain"]
        assert "\n" not in note["data"]["text/plain"]
        names = eval(kernel.value("threads()"))  # noqa: S307 - our own repr
        assert len(names) == 2
        assert "intercom beside" in names
        assert kernel.value("moves()") == "True"
    assert first == []


ONE = "one = InterComService('same', model='offline', logs=None); one.name"
TWO = (
    "one = InterComService('two', model='offline', logs=None); two = InterComService('two', model='offline', logs=None)"
)


@pytest.fixture
def naming(shared):
    """Give the shared kernel; whatever service runs in it afterwards is stopped."""
    yield shared
    shared.run("for found in list(sys._intercom_nb_services.values()): found[0]() and found[0]().stop()")
    assert shared.value("threads()") == "[]"
    shared.cells.clear()


def texts_of(outputs: list) -> list[str]:
    """Return the text of each output."""
    return [output["data"]["text/plain"] for output in outputs]


@pytest.mark.parametrize("cell_id", ["", "cell-1"])
def test_a_cell_that_is_run_again_stops_the_service_it_made(naming, cell_id):
    """One line says so, and the new service has the name; which cell it is, its id says, else its text."""
    first, again = (texts_of(naming.run(ONE, cell_id=cell_id)) for _ in range(2))

    assert first == ["'same'"]
    assert again[1:] == ["'same'"]
    assert "'same' of this cell was still running; it was stopped" in again[0]


def test_an_edited_cell_stops_the_service_it_made(naming):
    """Its id is the same, whatever is written in it now."""
    naming.run(ONE, cell_id="cell-1")

    told, name = texts_of(naming.run(f"# edited\n{ONE}", cell_id="cell-1"))

    assert "was stopped" in told
    assert name == "'same'"


@pytest.mark.parametrize("cell_ids", [("cell-1", "cell-2"), ("", "")], ids=["ids", "texts"])
def test_another_cell_gets_a_number_for_its_service(naming, cell_ids):
    """The first one goes on, and nothing is said."""
    naming.run(ONE, cell_id=cell_ids[0])
    naming.run("first = one")

    (name,) = texts_of(naming.run(ONE if cell_ids[0] else f"# another\n{ONE}", cell_id=cell_ids[1]))

    assert name == "'same-2'"
    assert naming.value("first.state") == "'new'"


def test_two_services_of_one_cell_get_a_number_and_are_replaced_together(naming):
    """Both of them, each time, by two that have the same names."""
    assert naming.run(TWO, cell_id="cell-1") == []
    assert naming.value("one.name, two.name, one.state, two.state") == "('two', 'two-2', 'new', 'new')"
    naming.run("before = one, two")

    told = texts_of(naming.run(TWO, cell_id="cell-1"))

    assert [line.split("'")[1] for line in told] == ["two", "two-2"]
    assert (
        naming.value("one.name, two.name, before[0].state, before[1].state") == "('two', 'two-2', 'stopped', 'stopped')"
    )


def test_a_service_without_a_name_is_no_other_ones(naming):
    """It is called intercom, the next one gets a number."""
    naming.run("one = InterComService(model='offline', logs=None)", cell_id="cell-1")
    naming.run("two = InterComService(model='offline', logs=None)", cell_id="cell-2")

    assert naming.value("one.name, two.name") == "('intercom', 'intercom-2')"


def test_an_interrupt_ends_the_waiting_and_not_the_agents(kernel):
    """wait() raises KeyboardInterrupt in its cell, says that the agents go on, and they do."""
    kernel.run(MAKE)

    def interrupt():
        deadline = time.monotonic() + 60
        while not shows_progress() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(kernel.km.provisioner.pid, signal.SIGINT)

    def shows_progress():
        return "beside" in str(list(kernel.cells.values())[-1])

    *shown, error = kernel.run("intercom.wait()", meanwhile=interrupt)

    assert (error["output_type"], error["ename"]) == ("error", "KeyboardInterrupt")
    assert [output["output_type"] for output in shown] == ["display_data"]
    assert "interrupted; the agents go on" in shown[0]["data"]["text/plain"]
    assert kernel.value("moves()") == "True"
    assert kernel.value("intercom.state") == "'running'"


def test_wait_shows_progress_in_its_own_cell_only(kernel):
    """One line changes in place, and its last state says how it ended."""
    made = kernel.run(MAKE_FINITE)

    progress, result = kernel.run("intercom.wait()")
    kernel.settle()

    assert made == []
    assert progress["output_type"] == "display_data"
    assert list(progress["data"]) == ["text/plain"]
    shown = progress["data"]["text/plain"]
    assert shown.startswith("finite: quiet, but bob wrote “Read.” as plain text, and only tools reach others")
    assert "(2 messages" in shown
    assert result["data"] == {"text/plain": "'quiet'"}


def test_quiet_is_awaited_in_a_cell(kernel):
    """`await intercom.quiet()` leaves the kernel's loop free, and gives the reason."""
    kernel.run(MAKE_FINITE)
    source = """
    ticks = []
    async def tick():
        while True:
            ticks.append(1)
            await asyncio.sleep(0.01)
    ticking = asyncio.create_task(tick())
    reason = await intercom.quiet()
    _ = ticking.cancel()
    """

    assert kernel.run(source) == []
    assert kernel.value("reason") == "'quiet'"
    assert int(kernel.value("len(ticks)")) > 5
    assert kernel.value("await intercom.quiet()") == "'quiet'"


@pytest.mark.parametrize("what", ["intercom", "intercom['ann']", "chat", "intercom.transcript()"])
def test_the_last_line_of_a_cell_shows_text_a_picture_and_a_widget(kernel, what):
    """One line of text and a picture where there is no browser, a live view where there is one; no tables."""
    kernel.run(MAKE_FINITE + "await intercom.quiet()")

    (output,) = kernel.run(what)

    assert output["output_type"] == "execute_result"
    assert set(output["data"]) == {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"}
    assert "\n" not in output["data"]["text/plain"]
    assert output["data"]["text/plain"].startswith("<")
    assert output["data"]["image/png"].startswith("iVBOR")


def test_a_click_is_taken_while_a_cell_sleeps(kernel):
    """A message from the page goes to the shell that is free, not to the one that showed the view."""
    kernel.run(MAKE_FINITE)
    kernel.run("intercom")
    comm_id = kernel.value("Dashboard(intercom).widget.comm.comm_id").strip("'")
    subshell = kernel.subshell()

    def click():
        asked = {"kind": "ask", "id": 1, "what": "do", "action": "edit", "agent": "bob", "mission": "Be brief."}
        content = {"comm_id": comm_id, "data": {"method": "custom", "content": asked}}
        message = kernel.client.session.msg("comm_msg", content)
        message["header"]["subshell_id"] = subshell
        kernel.client.shell_channel.send(message)

    source = "for _ in range(6_000):\n    time.sleep(0.01)\n    if intercom['bob'].mission: break\n"

    assert kernel.run(source + "mission = intercom['bob'].mission", meanwhile=click) == []
    assert kernel.value("mission") == "'Be brief.'"


def test_a_notebook_that_ends_with_the_dashboard_runs_without_a_browser(tmp_path):
    """Nothing waits for a page that is not there; the stored output has text and a picture."""
    cells = [SETUP, MAKE_FINITE, "Dashboard(intercom)", "_ = intercom.wait(progress=False)", "intercom"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
    with client.setup_kernel(env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)}):
        for place, cell in enumerate(notebook.cells):
            client.execute_cell(cell, place)
    outputs = [output for cell in notebook.cells for output in cell.outputs]

    assert all(set(output["data"]) == {"text/plain", "image/png"} for output in outputs)
    assert len(outputs) == 2


def test_autoreload_does_not_double_a_service(tmp_path):
    """Modules that are loaded again leave one service, which goes on and can be replaced."""
    library = tmp_path / "library"
    shutil.copytree(PACKAGE, library / "intercom_nb", ignore=shutil.ignore_patterns("__pycache__"))
    with started(tmp_path, library) as kernel:
        assert kernel.run("%load_ext autoreload\n%autoreload 2") == []
        assert kernel.run(SETUP) == []
        assert kernel.run(MAKE) == []
        for module in (
            "service/service",
            "service/running",
            "runs/runtime",
            "runs/lifecycle",
            "runs/scheduler",
            "notebook",
        ):
            file = library / "intercom_nb" / f"{module}.py"
            if file.exists():
                file.write_text(file.read_text() + f"\n# edited: {module}\n")
                later = time.time() + 10
                os.utime(file, (later, later))
        moved = kernel.value("moves()")
        after_reload = kernel.value("len(threads())")
        edited = kernel.value(
            "'edited: runs/runtime' in Path(sys.modules['intercom_nb.runs.runtime'].__file__).read_text()"
        )
        again = kernel.run(MAKE)

        assert (moved, after_reload, edited) == ("True", "2", "True")
        assert [output["output_type"] for output in again] == ["display_data"], again
        assert "of this cell was still running" in again[0]["data"]["text/plain"]
        assert kernel.value("len(threads())") == "2"
        assert kernel.value("moves()") == "True"
        assert kernel.stray == []


@pytest.mark.alone
def test_a_running_service_does_not_hold_up_a_restart_or_shutdown(tmp_path):
    """A kernel with agents, and a tool that never returns, ends as fast as a plain one; the log opens afterwards."""
    with started(tmp_path) as kernel:
        plain = timed(lambda: kernel.km.shutdown_kernel(now=False))
    stuck = "\ndef stick() -> str:\n    threading.Event().wait()\nstuck = Agent('Stuck', tools=[stick], "
    stuck += "model=ScriptedAssistant({'Stuck': call('stick')}))\nintercom.add(stuck)\n_ = stuck.begin()"
    with started(tmp_path) as kernel:
        assert kernel.run(SETUP + MAKE + stuck) == []
        assert kernel.value("moves()") == "True"
        restart = timed(lambda: kernel.km.restart_kernel(now=False))
        kernel.client.wait_for_ready(timeout=60)
        assert kernel.run(SETUP + MAKE) == []
        assert kernel.value("moves()") == "True"
        shutdown = timed(lambda: kernel.km.shutdown_kernel(now=False))

    assert restart < plain + 5
    assert shutdown < plain + 5
    first, second = sorted((tmp_path / "logs").glob("*.db"))

    def stick() -> str:
        return ""

    for log in (first, second):
        intercom = InterComService.open(log, model=ScriptedAssistant(), tools=[stick])
        texts = {message.text for message in intercom.messages}
        intercom.stop()
        assert texts == {"Begin", "It is your turn."}


def timed(do: Callable[[], None]) -> float:
    """Return the seconds something takes."""
    began = time.monotonic()
    do()
    return time.monotonic() - began


def test_a_notebook_runs_from_top_to_bottom(tmp_path):
    """nbclient, as in CI: the outputs are those of the cells, and the service left running at the end does no harm."""
    sources = [SETUP, MAKE_FINITE, "intercom.wait()", "[message.text for message in intercom.messages]", "intercom"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    env = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "IPYTHONDIR": str(tmp_path / ".ipython")}
    client = NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )

    client.execute(env=env)

    kinds = [[output["output_type"] for output in cell["outputs"]] for cell in notebook["cells"]]
    assert kinds == [[], [], ["display_data", "execute_result"], ["execute_result"], ["display_data"]]
    assert notebook["cells"][3]["outputs"][0]["data"]["text/plain"] == "['Begin', 'Hello']"
