"""What was seen yesterday is there tomorrow: views in a notebook that is saved, closed and opened again."""

import base64
import io
import uuid

import nbformat
import pytest
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.kernel, pytest.mark.alone]

CAST = """
import time
from intercom_nb import Agent, Dashboard, InterComService, ScriptedAssistant, call


def answers(request):
    done = request["input"][-1].get("type") == "function_call_output"
    return "(sent)" if done else call("send_message", chat_id="you", message="Yes.")


intercom = InterComService("kept", model=ScriptedAssistant(default=answers), logs="logs", courtesy=False)
intercom.add(*(Agent(f"Agent {n}", description="Says yes.", mission="Say yes.") for n in range(8)))
you = intercom.add_person("You")
intercom.start()
"""
VIEWS = ["intercom", "intercom.transcript()", "intercom.graph_view()", "intercom.agents_view()", "intercom.timeline()"]
TALK = """
for n in range(8):
    _ = you.send_message(f"Is it {n}?", f"agent-{n}")
intercom.wait(progress=False)
print(len(intercom.messages))
"""
WIDGET = "application/vnd.jupyter.widget-view+json"
STORED = """() => [...window.jupyterapp.shell.currentWidget.context.model.cells].flatMap(cell => {
    const found = [];
    for (let n = 0; n < (cell.outputs?.length ?? 0); n++) found.push(cell.outputs.get(n).toJSON());
    return found.filter(output => output.data?.['image/png']);
})"""
LIVE = "() => document.querySelectorAll('.jp-OutputArea-child > div > .icnb').length"
TOTAL = (
    "() => Math.max(0, ...[...document.querySelectorAll('[data-part=transcript]')].map(e => Number(e.dataset.total)))"
)
SAVE = "async () => { await window.jupyterapp.commands.execute('docmanager:save'); }"
SAVE_STATE = SAVE.replace("docmanager:save", "@jupyter-widgets/jupyterlab-manager:saveWidgetState")
RESTART = "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }"
SHUT_DOWN = "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.shutdown(); }"
EXECUTE = """async code => {
    await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code}).done;
}"""
RENEWED = f"was => ({STORED})().every((output, n) => output.data['image/png'] !== was[n])"
ERROR = "Error displaying widget"


def pictures(notebook):
    """Return the stored pictures, each with the types its output has."""
    return [(output["data"]["image/png"], set(output["data"])) for output in notebook.page.evaluate(STORED)]


def settled(notebook, count, talked):
    """Wait until so many views are live and know so many messages, and every output is a picture alone; return them."""
    notebook.wait(f"n => ({LIVE})() === n", count)
    notebook.wait(f"n => ({TOTAL})() === n", talked)
    notebook.wait(f"kind => !({STORED})().some(output => kind in output.data)", WIDGET)
    return pictures(notebook)


def path_of(notebook):
    """Return the file of a notebook, in the server's folder."""
    return notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path")


def reopened(opened, notebook, **look):
    """Save a notebook, end its kernel, and open it as a page that has never seen it."""
    notebook.page.evaluate(SAVE)
    notebook.page.evaluate(SHUT_DOWN)
    name = path_of(notebook)
    notebook.page.close()
    return opened(None, name=name, **look)


def seen(notebook):
    """Return how large each stored picture is on the page, and what it is."""
    notebook.wait("() => document.querySelectorAll('.jp-RenderedImage img').length > 0")
    return notebook.page.locator(".jp-RenderedImage img").evaluate_all(
        "all => all.map(one => [one.clientWidth > 300, one.src.split(',')[1]])"
    )


def test_saved_and_opened_again_each_view_shows_what_was_there(opened, lab):
    """The kernel gone, trusted and untrusted; each its own part, drawn at the end, and small; run again, it lives."""
    notebook = opened([CAST, *VIEWS, TALK], height=6000)
    notebook.run_all()
    before = settled(notebook, 5, 16)
    assert notebook.text_of(6).strip() == "16"
    notebook.wait(RENEWED, [png for png, _ in before])
    stored = pictures(notebook)
    assert [kinds for _, kinds in stored] == [{"text/plain", "image/png"}] * 5
    assert all(len(png) <= 60_000 for png, _ in stored)
    assert len({Image.open(io.BytesIO(base64.b64decode(png))).size for png, _ in stored}) > 3

    trusted = reopened(opened, notebook, height=6000)
    assert seen(trusted) == [[True, png] for png, _ in stored]
    assert ERROR not in trusted.page.content()
    assert trusted.page.locator(".icnb").count() == 0

    name = f"{uuid.uuid4().hex[:8]}.ipynb"
    book = nbformat.read(lab.folder / path_of(trusted), as_version=4)
    book.cells.append(nbformat.v4.new_code_cell("'somebody else has it'"))
    nbformat.write(book, lab.folder / name)
    untrusted = opened(None, name=name, height=6000)
    assert seen(untrusted) == [[True, png] for png, _ in stored]
    assert ERROR not in untrusted.page.content()

    trusted.run_all()
    settled(trusted, 5, 16)
    assert trusted.faults == untrusted.faults == []


def test_a_renewal_does_not_touch_what_is_alive(opened):
    """Scroll, focus, words half typed, an open card: they stay while the picture in the notebook becomes another."""
    notebook = opened([CAST, "intercom", TALK, TALK], height=1500)
    for n in range(3):
        notebook.run_cell(n)
    ((before, _),) = settled(notebook, 1, 16)
    page = notebook.page
    page.evaluate("() => { document.querySelector('.icnb').own = 'the same'; }")
    page.locator("[data-part=agents] .icnb-card-head").nth(2).click()
    page.locator("[data-part=transcript] [role=log]").evaluate("log => { log.scrollTop = 40; }")
    area = page.locator("[data-part=reply] textarea")
    area.fill("half a sent")
    area.evaluate("area => { area.focus(); area.setSelectionRange(2, 4); }")
    page.evaluate(EXECUTE, TALK)
    notebook.wait(f"() => ({TOTAL})() === 32")
    notebook.wait(RENEWED, [before])

    assert page.evaluate("() => document.querySelector('.icnb').own") == "the same"
    assert page.evaluate("() => document.activeElement.tagName") == "TEXTAREA"
    assert area.evaluate("area => [area.value, area.selectionStart, area.selectionEnd]") == ["half a sent", 2, 4]
    assert page.locator("[data-part=agents] .icnb-unfolded").count() == 1
    assert page.locator("[data-part=transcript] [role=log]").evaluate("log => log.scrollTop") == 40
    assert notebook.faults == []


def test_a_page_that_is_opened_again_while_the_kernel_lives_is_live(opened):
    """Reloaded, the pictures become live views, and are renewed as before."""
    notebook = opened([CAST, *VIEWS[:2], TALK], height=3000)
    notebook.run_all()
    settled(notebook, 2, 16)
    notebook.page.evaluate(SAVE)
    notebook.page.reload()
    before = settled(notebook, 2, 16)
    notebook.page.evaluate(EXECUTE, TALK)
    notebook.wait(f"() => ({TOTAL})() === 32")
    notebook.wait(RENEWED, [png for png, _ in before])
    assert notebook.faults == []


def test_with_widget_state_saved_there_is_no_error_either(opened, lab):
    """JupyterLab then stores each view's state as well, and makes a model of it without a kernel: the picture stays."""
    notebook = opened([CAST, *VIEWS[:2], TALK], height=3000)
    notebook.page.evaluate(SAVE_STATE)
    notebook.run_all()
    settled(notebook, 2, 16)
    again = reopened(opened, notebook, height=3000)
    stored = nbformat.read(lab.folder / path_of(again), as_version=4)
    assert len(stored.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]) >= 2
    assert [shown for shown, _ in seen(again)] == [True, True]
    assert ERROR not in again.page.content()
    again.run_all()
    settled(again, 2, 16)
    assert again.faults == []


def test_after_a_restart_the_view_says_so_and_its_picture_is_kept(opened):
    """The live view stays on the page, read-only; run again, the cell shows a new one."""
    notebook = opened([CAST, VIEWS[0], TALK], height=1500)
    notebook.run_all()
    settled(notebook, 1, 16)
    notebook.page.evaluate(RESTART)
    notebook.page.locator("[data-part=reply] textarea").fill("Is anybody there?")
    notebook.page.get_by_role("button", name="Send").click()
    notebook.page.get_by_text("the kernel is gone").first.wait_for()
    assert len(pictures(notebook)) == 1
    notebook.run_all()
    settled(notebook, 1, 16)
    assert notebook.page.locator(".icnb").count() == 1
