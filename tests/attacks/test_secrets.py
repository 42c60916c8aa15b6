"""Keys stand nowhere but in the requests they are for."""

import sqlite3
from pathlib import Path

import httpx2
import pytest
from openai import AsyncOpenAI

from intercom_nb import Agent, InterComService, LogError, MissingKeyError, MissionLab, Study, to_html, to_jsonl

PASSWORD, TOKEN, HEADER = "pass%21word-123", "token-abc-123", "header-secret-123"
NOWHERE = "127.0.0.1:9/v1"  # nothing listens there


def everything_said(intercom, folder):
    """Return all that a service says and writes, as one text."""
    intercom.add(Agent("Ann"))
    intercom["ann"].begin()
    with intercom:
        intercom.wait(60)
        told = [repr(intercom), intercom.status, intercom.model, repr(intercom["ann"]), intercom["ann"].status]
    told += [to_jsonl(intercom, folder / "told.jsonl").read_text(), to_html(intercom, folder / "told.html").read_text()]
    with sqlite3.connect(intercom.log.path) as log:
        told += list(log.iterdump())
    log.close()
    return "\n".join(told)


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        (f"http://me:{PASSWORD}@{NOWHERE}", PASSWORD),
        (f"http://{TOKEN}@{NOWHERE}", TOKEN),
        (f"http://{NOWHERE}?api-key={TOKEN}", TOKEN),
        (f"http://me:sh0rt@{NOWHERE}", "sh0rt"),
    ],
)
def test_what_an_address_holds_is_told_nowhere(tmp_path, address, secret):
    """Neither a user's name and password nor a query: in no repr, status, log, page, text or failure."""
    settings = {"model": "m", "base_url": address, "api_key": "key-of-nobody", "max_retries": 0, "timeout": 20}
    said = everything_said(InterComService("s", logs=tmp_path, **settings), tmp_path)

    assert secret not in said
    assert "key-of-nobody" not in said
    assert "127.0.0.1:9/v1" in said


def echoing(request):
    """Answer with a failure that repeats what was sent."""
    sent = [str(request.url), *(request.headers.get(name, "") for name in ("x-secret", "authorization"))]
    return httpx2.Response(400, json={"error": {"message": f"k is wrong: {' '.join(sent)}"}})


def test_what_a_server_says_of_my_own_clients_headers_is_hidden(tmp_path):
    """A secret header, a key and a query that the server repeats, and nothing else of its sentence."""
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(echoing))
    client = AsyncOpenAI(
        base_url=f"http://{NOWHERE}", api_key="key-of-nobody", http_client=http, default_query={"q": TOKEN},
        default_headers={"X-Secret": HEADER},
    )  # fmt: skip
    intercom = InterComService("s", logs=tmp_path, model="m", client=client, max_retries=0)
    said = everything_said(intercom, tmp_path)

    assert [secret for secret in (HEADER, TOKEN, "key-of-nobody") if secret in said] == []
    assert "is wrong" in said


def test_a_key_that_is_a_letter_hides_no_word(tmp_path):
    """What is shorter than a key could be is left as it is."""
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(echoing))
    client = AsyncOpenAI(base_url=f"http://{NOWHERE}", api_key="k", http_client=http)

    assert "k is wrong" in everything_said(
        InterComService("s", logs=tmp_path, model="m", client=client, max_retries=0), tmp_path
    )


def test_a_server_named_by_a_dotenv_beside_me_is_told_once(monkeypatch, capsys):
    """The key is from elsewhere: one note says which server it goes to, and which file says so."""
    Path(".env").write_text(f"OPENAI_BASE_URL=http://me:{PASSWORD}@{NOWHERE}\n")
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-nobody")
    for _ in range(2):
        InterComService("s", model="m", logs=None).stop()
    told = capsys.readouterr()
    said = told.out + told.err

    assert said.count(f"the key is sent to http://{NOWHERE}, as {Path('.env').resolve()} says") == 1
    assert PASSWORD not in said


@pytest.mark.parametrize("reopened", [False, True])
def test_a_server_named_by_a_dotenv_above_me_is_sent_no_key(monkeypatch, tmp_path, reopened):
    """Whoever wrote a file above the working folder does not choose who is sent the key."""
    with InterComService("s", logs=tmp_path, model="m", base_url=f"http://{NOWHERE}", api_key="key-of-nobody") as old:
        pass
    Path(".env").write_text(f"OPENAI_BASE_URL=http://{NOWHERE}\n")
    Path("work").mkdir()
    monkeypatch.chdir("work")
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-nobody")

    with pytest.raises(MissingKeyError, match="it is not sent there"):
        InterComService.open(old.log) if reopened else InterComService("s", model="m", logs=None)


def test_a_dotenv_with_both_is_believed(monkeypatch, capsys):
    """A key that goes where its own file says needs no word, also from above."""
    Path(".env").write_text(f"OPENAI_BASE_URL=http://{NOWHERE}\nOPENAI_API_KEY=key-of-nobody\n")
    Path("work").mkdir()
    monkeypatch.chdir("work")
    InterComService("s", model="m", logs=None).stop()
    told = capsys.readouterr()

    assert (told.out, told.err) == ("", "")


@pytest.mark.parametrize(("folder", "is_believed"), [("{}/elsewhere", False), ("../theirs", False), ("mine", True)])
def test_a_dotenv_above_me_does_not_choose_where_logs_go(monkeypatch, tmp_path, folder, is_believed):
    """Unless that lies in the working folder itself; nothing is made elsewhere."""
    Path(".env").write_text(f"THREAD_LOGS_PATH={folder.format(tmp_path)}\n")
    Path("work").mkdir()
    monkeypatch.chdir("work")
    if is_believed:
        with InterComService("s", model="offline") as intercom:
            assert intercom.log.path.parent == tmp_path / "work" / "mine"
    else:
        with pytest.raises(LogError, match="lies above the working folder: nothing is written there; give logs= or"):
            InterComService("s", model="offline")
        for keeper in (lambda: MissionLab(1, model="offline"), lambda: Study("s", 1, model="offline")):
            with pytest.raises(LogError, match="lies above the working folder: nothing is written there"):
                keeper()
        assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "work"]
    InterComService("s", model="offline", logs=tmp_path / "given").stop()


def test_a_dotenv_beside_me_chooses_where_logs_go(tmp_path):
    """As it is meant to be used."""
    Path(".env").write_text(f"THREAD_LOGS_PATH={tmp_path / 'elsewhere'}\n")
    with InterComService("s", model="offline") as intercom:
        assert intercom.log.path.parent == tmp_path / "elsewhere"
