"""A real JupyterLab, a real Chromium, and notebooks that are run in them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MISSING = [
    what
    for what, there in {
        "Chromium (Debian: apt-get install --no-install-recommends chromium)": CHROMIUM,
        "the Python package playwright": find_spec("playwright"),
    }.items()
    if not there
]
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-domain-reliability"
)
START_S, PAGE_MS = 60, 60_000


def pytest_collection_modifyitems(items):
    """Skip what needs a browser where there is none; in CI it runs, and fails."""
    if MISSING and os.environ.get("CI") != "true":
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=f"needs {' and '.join(MISSING)}"))


class Server:
    """A Jupyter server with settings of its own; notebooks lie in its folder."""

    def __init__(self, folder, application="lab"):
        self.folder = folder / "notebooks"
        self.folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.token = uuid.uuid4().hex
        self._application = application
        self._log = folder / "server.log"
        settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
        own = {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
        lab = {f"JUPYTERLAB_{kind}_DIR": str(folder / kind.lower()) for kind in ("SETTINGS", "WORKSPACES")}
        unset = dict.fromkeys(("OPENAI_API_KEY", "OPENAI_BASE_URL", "INTERCOM_MODEL", "THREAD_LOGS_PATH"), "")
        python = {"IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        self._environment = {**os.environ, **own, **lab, **unset, **python}

    def __enter__(self):
        expose = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}[self._application]
        command = [sys.executable, "-m", "jupyter", self._application, "--no-browser", "--allow-root"]
        command += [f"--ServerApp.port={self.port}", "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={self.folder}"]
        command += [f"--IdentityProvider.token={self.token}", f"--{expose}.expose_app_in_browser=True"]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"the Jupyter server does not start: {self._log.read_text()[-2_000:]}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(60)

    def _answers(self):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api?token={self.token}", timeout=1).close()
        except (URLError, OSError):
            return False
        return True

    def url(self, name):
        """Return where a notebook is shown."""
        path = {"lab": "lab/tree", "notebook": "notebooks"}[self._application]
        return f"http://127.0.0.1:{self.port}/{path}/{name}?token={self.token}&reset"

    def write(self, name, cells):
        """Write a notebook of code cells."""
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, self.folder / name)


class Notebook:
    """One notebook in the browser; what went wrong in the page is kept.

    Attributes
    ----------
    page : playwright.sync_api.Page
        The page itself.
    faults : list of str
        Errors of the console and of scripts, requests that failed, and requests to anywhere else.
    """

    def __init__(self, page, server, name):
        self.page = page
        self.faults = []
        self.sent_by_kernel = 0
        home = f"//127.0.0.1:{server.port}/"
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("requestfailed", self._failed)
        page.on("request", lambda request: self._asked(request, home))
        page.on("websocket", lambda socket: socket.on("framereceived", self._received))
        page.goto(server.url(name))
        page.wait_for_selector(".jp-Notebook", timeout=PAGE_MS)
        page.wait_for_function(READY, timeout=PAGE_MS)

    def _failed(self, request):
        # What the page itself gives up, such as a poll when it is left, is no fault.
        if "ERR_ABORTED" not in (request.failure or ""):
            self.faults.append(f"{request.url}: {request.failure}")

    def _asked(self, request, home):
        if not request.url.startswith(("data:", "blob:")) and home not in request.url:
            self.faults.append(f"asked {request.url}")

    def _received(self, _):
        self.sent_by_kernel += 1

    def run_all(self):
        """Run every cell, and wait until they have all ended."""
        self.page.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def start_cell(self, n):
        """Let the n-th cell run."""
        self.page.evaluate(
            """n => {
                const {content} = window.jupyterapp.shell.currentWidget;
                content.activeCellIndex = n;
                window.runs = true;
                const ended = window.jupyterapp.commands.execute('notebook:run-cell');
                window.ended = ended.then(() => { window.runs = false; });
                return null;
            }""",
            n,
        )

    def run_cell(self, n):
        """Run the n-th cell, and wait until it has ended."""
        self.start_cell(n)
        self.page.evaluate("async () => { await window.ended; }")

    @property
    def runs(self):
        """Whether the cell that was started still runs; the kernel's own status speaks of its other shells, too."""
        return self.page.evaluate("window.runs")

    def text_of(self, n):
        """Return the text that the n-th cell put out."""
        return self.page.evaluate(
            """n => {
                const model = window.jupyterapp.shell.currentWidget.content.widgets[n].model.sharedModel.toJSON();
                return (model.outputs || []).map(o => o.text || (o.data && o.data['text/plain']) || '').flat().join('');
            }""",
            n,
        )

    def wait(self, script, given=None, timeout=PAGE_MS):
        """Wait until a script is true in the page."""
        return self.page.wait_for_function(script, arg=given, timeout=timeout)


READY = """() => {
    const panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
    const session = panel && panel.sessionContext;
    const kernel = session && session.session && session.session.kernel;
    if (!session || !session.isReady || !kernel) return false;
    return kernel.connectionStatus === 'connected' && kernel.status === 'idle';
}"""


@pytest.fixture(scope="module")
def browser():
    """Give a Chromium; no longer than a module, for it keeps an event loop in this thread."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - where there is none, only this test is skipped

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS.split())
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Give a JupyterLab."""
    with Server(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture
def notebook_7(tmp_path):
    """Give a Notebook 7."""
    with Server(tmp_path, "notebook") as server:
        yield server


@pytest.fixture
def opened(browser, lab):
    """Give a function that opens a notebook of these cells, or the one of a name, in JupyterLab."""
    contexts = []

    def open_(cells, *, server=lab, width=1400, height=1000, scheme="light", name=None):
        if name is None:
            name = f"{uuid.uuid4().hex[:8]}.ipynb"
            server.write(name, cells)
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        return Notebook(context.new_page(), server, name)

    yield open_
    for context in contexts:
        context.close()
