"""Logs from the terminal: as pages and in other forms, and what the doctor says."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

from intercom_nb import demos, from_jsonl, messages_df
from terminal import typed as command


@pytest.fixture
def log():
    """Give the log of a demo, in the usual folder."""
    return Path(str(demos.run(1).log))


@pytest.mark.parametrize(
    ("form", "begins"),
    [("jsonl", "{"), ("markdown", "# Transcript"), ("mermaid", "sequenceDiagram"), ("graphml", "<?xml")],
)
def test_a_log_is_written_as_text_or_printed(log, form, begins):
    """Under its own name, here; what is there is left alone unless forced; a folder means its newest log."""
    written = command("export", log, "--to", form)
    path = Path(written.stdout.strip())
    again, forced = command("export", log, "--to", form), command("export", "logs", "--to", form, "--force")
    printed = command("export", "--to", form, "-o", "-")

    assert written.exit_code == forced.exit_code == printed.exit_code == 0
    assert path.stem == log.stem
    assert path.read_text(encoding="utf-8").startswith(begins)
    assert printed.stdout == path.read_text(encoding="utf-8")
    assert (again.exit_code, "--force" in again.stderr) == (2, True)


def test_a_log_as_text_is_the_same_log(log):
    """What `export` wrote is read back."""
    path = Path(command("export", log, "--to", "jsonl", "-o", "one.jsonl").stdout.strip())

    assert messages_df(from_jsonl(path, "back.db")).text.tolist() == messages_df(log).text.tolist()


def test_a_log_is_written_as_folders_of_frames(log):
    """One file a frame, with the same rows in both forms."""
    csv, parquet = (Path(command("export", log, "--to", form).stdout.strip()) for form in ("csv", "parquet"))
    texts = messages_df(log).text.tolist()

    assert sorted(file.stem for file in csv.iterdir()) == sorted(file.stem for file in parquet.iterdir())
    assert pd.read_csv(csv / "messages.csv").text.tolist() == texts
    assert pd.read_parquet(parquet / "messages.parquet").text.tolist() == texts
    assert command("export", log, "--to", "csv", "-o", "-").exit_code == 2


def test_a_log_is_written_as_a_page(log):
    """The page that `to_html` writes."""
    done = command("html", log, "-o", "run.html")

    assert (done.exit_code, done.stdout) == (0, "run.html\n")
    assert Path("run.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_what_is_no_log_is_said_in_a_sentence():
    """A file of something else, an empty folder, no folder at all: no traceback."""
    Path("empty").mkdir()
    Path("note.db").write_text("hello")
    for words in (["html", "note.db"], ["export", "empty", "--to", "csv"], ["view", "note.db"], ["html"]):
        done = command(*words)
        assert (done.exit_code, done.stdout) == (1, ""), words
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 1


def test_the_notebooks_are_copied_and_none_is_written_over():
    """With the recordings that they play; a second time there is nothing to do."""
    first = command("notebooks", "t")
    Path("t/01_build_assistants.ipynb").write_text("mine")
    again = command("notebooks", "t")

    assert Path("t/recordings/demo_1.jsonl").is_file()
    assert len(first.stdout.splitlines()) == len([file for file in Path("t").rglob("*") if file.is_file()]) >= 9
    assert again.stdout == "t has them all already\n"
    assert Path("t/01_build_assistants.ipynb").read_text() == "mine"


def test_the_doctor_asks_nobody_where_the_stand_in_answers():
    """Versions, settings, the folder for logs and the model; all is well."""
    done = command("doctor")
    told = json.loads(command("doctor", "--json").stdout)

    assert done.exit_code == 0
    assert "offline stand-in (rule-based, no language model)" in done.stdout
    assert "call follows" not in done.stdout
    assert told["fine"]
    assert [one["what"] for one in told["found"]] == [
        "intercom-nb", "libraries", "notebooks", "settings", "logs", "model"
    ]  # fmt: skip


@pytest.fixture
def server(monkeypatch):
    """Give a model server on this computer, which the environment names: what it answers, and what it was asked."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, answer = self.server.answer
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as made:
        made.asked = []
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{made.server_address[1]}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123456789")
        monkeypatch.setenv("INTERCOM_MODEL", "mine")
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def _response(*items):
    usage = {"input_tokens": 90, "output_tokens": 9, "total_tokens": 99}
    return 200, {"id": "r", "object": "response", "model": "mine-1", "output": list(items), "usage": usage}


def test_the_doctor_asks_a_server_once_and_says_so_before(server):
    """Which model answered, how fast, what it took, and that it calls tools; the key is nowhere."""
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "ready", "arguments": '{"word": "yes"}'}
    server.answer = _response(call)
    done = command("doctor")
    told = json.loads(command("doctor", "--json").stdout)

    assert done.exit_code == 0
    assert done.stdout.index("one call follows") < done.stdout.index("mine-1 answered in ")
    assert "90 + 9 tokens" in done.stdout
    assert "called the tool" in done.stdout
    assert "sk-secret" not in done.stdout
    assert (told["fine"], told["found"][-1]["what"]) == (True, "server")
    assert len(server.asked) == 2
    assert [tool["name"] for tool in server.asked[0]["tools"]] == ["ready"]


def test_the_doctor_says_what_is_wrong_with_a_server(server):
    """One that writes instead of calling, one that refuses the key, and a model without a server: each exits with 1."""
    text = {"type": "output_text", "text": "Yes, I am ready.", "annotations": []}
    server.answer = _response({"type": "message", "id": "m", "role": "assistant", "content": [text]})
    writes = command("doctor")
    server.answer = 401, {"error": {"message": "bad key", "code": "invalid_api_key"}}
    refuses = command("doctor")
    asked = len(server.asked)
    silent = command("doctor", "--no-call")

    assert writes.exit_code == refuses.exit_code == 1
    assert "called no tool: it wrote 'Yes, I am ready.'" in writes.stdout
    assert "gave no answer" in refuses.stdout
    assert "401" in refuses.stdout
    assert "sk-secret" not in writes.stdout + refuses.stdout
    assert (silent.exit_code, len(server.asked)) == (0, asked)


def test_the_doctor_finds_a_folder_that_cannot_be_written(monkeypatch):
    """A file stands where the folder for logs should be."""
    Path("taken").write_text("")
    monkeypatch.setenv("THREAD_LOGS_PATH", "taken")
    done = command("doctor")

    assert done.exit_code == 1
    assert "cannot be written; set THREAD_LOGS_PATH" in done.stdout
