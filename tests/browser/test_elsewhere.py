"""The same views outside JupyterLab: in Notebook 7, and in one file without any Jupyter."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.kernel, pytest.mark.alone]

TALK = """
from intercom_nb import InterComService
from intercom_nb.demos import cast
intercom = InterComService("elsewhere", logs="logs")
intercom.add(*cast(2))
_ = intercom["founder"].begin()
intercom.start()
intercom.wait()
"""
TOTAL = "() => Number(document.querySelector('[data-part=transcript]')?.dataset.total ?? 0)"


def test_notebook_7(opened, notebook_7):
    """The dashboard stands there, too, and its buttons work."""
    notebook = opened([TALK, "intercom"], server=notebook_7, height=1800)
    notebook.run_all()
    notebook.wait(f"() => ({TOTAL})() > 3")
    notebook.page.locator("[data-action=pause]").click()
    notebook.wait("() => document.querySelector('[data-part=controls]').dataset.state === 'paused'")

    assert [fault for fault in notebook.faults if "schema" not in fault] == []  # one of Notebook's own extensions


def test_a_page_to_share(opened, lab):
    """It opens from a file, asks for nothing, and its slider goes through the whole course."""
    notebook = opened([TALK, "intercom.stop()\n_ = intercom.to_html('shared.html')"])
    notebook.run_all()
    page = notebook.page.context.new_page()
    faults, asked = [], []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((lab.folder / "shared.html").as_uri())
    page.wait_for_function(f"() => ({TOTAL})() === 5")
    shown = "() => document.querySelectorAll('[data-part=transcript] [data-seq][data-to]').length"
    page.locator("[data-part=slider] input[type=range]").fill("1")
    page.wait_for_function(f"() => ({shown})() === 1")
    page.locator("[data-part=slider] input[type=range]").fill("3")
    page.wait_for_function(f"() => ({shown})() === 3")

    assert faults == []
    assert len(asked) == 1, asked
