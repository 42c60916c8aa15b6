"""What agents say and are called is text, whatever is in it: in the notebook, and in the shared page."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.kernel, pytest.mark.alone]

CORPUS = r"""
from intercom_nb import Agent, InterComService
RUN = "window.pwned = (window.pwned || 0) + 1"
CORPUS = [
    f"<script>{RUN}</script>", f"<img src=x onerror='{RUN}'>", f"<svg onload='{RUN}'><script>{RUN}</script></svg>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>", f"<a href='javascript:{RUN}'>click</a>",
    f"javascript:{RUN}", f"[click](javascript:{RUN})", "![x](https://example.com/spy.png)", "https://example.com/?a=1",
    f"data:text/html,<script>{RUN}</script>", "<style>* { display: none !important }</style>",
    f"{{{{{RUN}}}}}", f"${{{RUN}}}",
    "</script><!--", "]]>", "\u202eright to left\u202c", "\u2067isolated", "a\u200b\u200b\u200bb", "\ufeff", "é" * 3,
    "Z\u0351\u036b\u0343" * 400, "one_word" * 500, "\n" * 300, "\t" * 300, "\x07bell", "👩‍👩‍👧‍👦" * 200, "ﷺ" * 200,
    "<b onmouseover=alert(1)>", "'\"><u>", "&lt;script&gt;", "m" * 250_000,
    f"![x](javascript:{RUN})", "![x](data:image/svg+xml,<svg/onload=alert(1)>)", f"[a](<javascript:{RUN}>)",
    f"[b]: javascript:{RUN}\n\n[b]", f"<javascript:{RUN}>", f"[x](vbscript:{RUN})", f"[c](&#106;avascript:{RUN})",
    f"<div>\n\n<script>{RUN}</script>\n\n</div>", f"```html\n<script>{RUN}</script>\n```", f"`<img onerror='{RUN}'>`",
    f"# <img src=x onerror='{RUN}'>", f"| <script>{RUN}</script> |\n|---|\n| <img src=x onerror='{RUN}'> |",
    "- " * 1_000 + "deep", "> " * 1_000 + "deep", "1. " * 500 + "deep", "*" * 5_000, "[" * 5_000, "`" * 5_000,
    "```\n" + "m" * 1_000_000 + "\n```", "| a " * 300 + "|\n" + "|---" * 300 + "|\n" + "| b " * 300 + "|",
    "http://example.com/" + "a" * 3_000, "<https://example.com/spy>", "# " + "W" * 400, "```" + "w" * 900 + "\nx\n```",
]
NAMES = ["<img src=x onerror=alert(1)>", "\u2067\u2066", "a\u200bb", "ab", "\u202eevil",
         "'\"><script>alert(1)</script>",
         "Ünï © 名前", "W" * 90, "__proto__", "constructor"]
intercom = InterComService("<script>alert(1)</script>", logs="logs", thread_logs=False, courtesy=False)
agents = []
for n, name in enumerate(NAMES):
    try:
        agents.append(Agent(name, id=f"agent-{n}", description=CORPUS[n], mission=CORPUS[-n - 2]))
    except ValueError:
        pass
intercom.add(*agents)
people = [intercom.add_person(f"P {n} <b>") for n in range(2)]
intercom.create_chat(["agent-0", people[0].id], "<i>group</i>", CORPUS[0], admin_id=people[1].id, message="x")
for text in CORPUS:
    try:
        intercom.send_message(text, people[0].id, people[1].id)
        intercom.send_message(text, agents[0].id, people[1].id)
    except ValueError:
        pass
n_messages = len(intercom.messages)
"""
CHECK = """() => {
    const found = [];
    if (window.pwned) found.push('a script ran');
    const tags = ['iframe', 'script', 'img', 'object', 'embed', 'form', 'base', 'meta', 'style', 'link', 'a[href]'];
    for (const tag of tags)
        if (document.querySelector(`.icnb ${tag}`)) found.push(`there is a ${tag}`);
    for (const element of document.querySelectorAll('.icnb *'))
        for (const {name} of element.attributes)
            if (name.startsWith('on')) found.push(`an attribute ${name}`);
    for (const board of document.querySelectorAll('.icnb'))
        if (board.scrollWidth > board.clientWidth + 1) found.push(`${board.scrollWidth} wide in ${board.clientWidth}`);
    for (const row of document.querySelectorAll('.icnb [role=article]'))
        if (row.getBoundingClientRect().height > 2_000) found.push('a row taller than the screen');
    return found;
}"""
TOTAL = "() => Number(document.querySelector('[data-part=transcript]')?.dataset.total ?? 0)"


def every_row(page):
    """Scroll through the transcript, and return what is wrong anywhere."""
    log = page.locator("[data-part=transcript] [role=log]")
    found = set(page.evaluate(CHECK))
    for _ in range(40):
        if log.evaluate("log => { const top = log.scrollTop; log.scrollTop -= 400; return top; }") == 0:
            break
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 20)))")
        found |= set(page.evaluate(CHECK))
    return found


def test_nothing_runs_and_nothing_breaks_in_the_notebook(opened):
    """A corpus of hostile names and messages in the dashboard, its cards opened, its rows hovered."""
    notebook = opened([CORPUS, "intercom", "print(n_messages)"], height=1800)
    dialogs = []
    notebook.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    notebook.run_all()
    expected = int(notebook.text_of(2))
    notebook.wait(f"n => ({TOTAL})() === n", expected)
    for card in notebook.page.locator("[data-part=agents] [data-agent] button[aria-expanded]").all()[:4]:
        card.click()

    assert expected > 50
    assert every_row(notebook.page) == set()
    assert dialogs == []
    assert notebook.faults == []


def test_nothing_runs_and_nothing_breaks_in_the_shared_page(opened, lab):
    """The same from a file, with no Jupyter and no network."""
    notebook = opened([CORPUS, "intercom.stop()\nintercom.to_html('hostile.html')\nprint(n_messages)"])
    notebook.run_all()
    expected = int(notebook.text_of(1))
    page = notebook.page.context.new_page()
    faults, asked = [], []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    page.goto((lab.folder / "hostile.html").as_uri())
    page.wait_for_function(f"n => ({TOTAL})() === n", arg=expected)

    assert every_row(page) - {"there is a style"} == set()
    assert faults == []
    assert len(asked) == 1, asked
