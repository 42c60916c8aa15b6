"""The shared page: one file that holds everything, connects to nothing, and runs no script but its own."""

import base64
import gzip
import hashlib
import json
import re

import pytest

from intercom_nb import Agent, demos, to_html

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)>",
    "]]>\u2028{policy}{0}%s</title>",
    '"><svg onload=alert(1)>',
]


def parts_of(page):
    """Return the facts of a page, and its texts by seq."""
    facts = json.loads(re.search(r'id="intercom-facts">(.*?)</script>', page, re.DOTALL)[1])
    packed = re.findall(r'class="intercom-part" data-from="(\d+)" data-to="(\d+)">([^<]*)</script>', page)
    parts = [
        (int(first), int(last), json.loads(gzip.decompress(base64.b64decode(text)))) for first, last, text in packed
    ]
    return facts, parts


def test_a_page_holds_everything_of_a_log(tmp_path):
    """Facts without texts, and the texts beside them, packed; from a service and from its log alike."""
    finished = demos.run(1, model="offline", logs=tmp_path)
    path = finished.to_html(tmp_path / "run.html")
    facts, ((first, last, texts),) = parts_of(path.read_text("utf-8"))

    assert to_html(finished.log.path, tmp_path / "again.html").read_bytes() == path.read_bytes()
    assert {row[6] for row in facts["messages"]} == {None}
    assert texts == [[m.seq, m.text] for m in finished.messages]
    assert (first, last) == (finished.messages[0].seq, finished.messages[-1].seq)
    assert [agent["name"] for agent in facts["agents"]] == ["Founder", "Marketing Expert", "Network Engineer"]


def test_texts_lie_in_parts_of_five_hundred(scripted, tmp_path):
    """Whole ones, in order; a log without messages has no part."""
    service = scripted(default="done")
    service.add(Agent("Ann"))
    assert parts_of(service.to_html(tmp_path / "empty.html").read_text("utf-8"))[1] == []
    for n in range(1_100):
        service.send_message("x" * 30_000 if n == 7 else f"text {n}", "ann")
    _, parts = parts_of(service.to_html(tmp_path / "run.html").read_text("utf-8"))

    assert [len(texts) for *_, texts in parts] == [500, 500, 100]
    assert [text for *_, texts in parts for text in texts] == [[m.seq, m.text] for m in service.messages]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_that_agents_write_becomes_markup(scripted, tmp_path, hostile):
    """Names, missions, descriptions and texts: every tag of the page is its own."""
    service = scripted(default="done")
    plain = scripted(default="done", name="plain")
    for one, text in ((service, hostile), (plain, "plain")):
        one.add(Agent(text.replace("\u2028", ""), id="ann", description=text, mission=text), Agent("Bob"), Agent("Cy"))
        one.create_chat(["bob", "cy"], "About " + text.replace("\u2028", ""), text, admin_id="ann", message=text)
    page = service.to_html(tmp_path / "run.html").read_text("utf-8")
    tags = re.compile(r"<(?=[a-z/!])[^>\s]*", re.IGNORECASE)

    facts, _ = parts_of(page)
    assert facts["agents"][0]["mission"] == hostile
    assert tags.findall(page) == tags.findall(plain.to_html(tmp_path / "plain.html").read_text("utf-8"))


def test_the_name_of_a_service_is_text_too(scripted, tmp_path):
    """It stands in the title."""
    page = scripted(name="a<b>&c").to_html(tmp_path / "run.html").read_text("utf-8")

    assert "<title>a&lt;b&gt;&amp;c – intercom_nb</title>" in page


def test_a_page_may_connect_to_nothing_and_runs_its_own_script_only(scripted, tmp_path):
    """Its policy forbids everything but the script with this hash, which shows the page at its end."""
    page = scripted().to_html(tmp_path / "run.html").read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    script = re.search(r'<script type="module">(.*?)</script>', page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}'; ")
    assert "http" not in policy
    assert re.search(r'\w+\(document.getElementById\("intercom-view"\)\);\n$', script)
    assert not re.search(r"^\s*export\b|<script|\bsrc=[\"']|<link", script, re.MULTILINE)
