"""The tutorial notebooks: how they are written, and what holds them to what is stored of them."""

import base64
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from tools.refresh_notebooks import copied, differences, edited, is_stored, main, renew_recordings, tidied

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROSE_WORDS, CODE_LINES, KILOBYTES = 30, 15, 200

notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def book(*codes, **outputs):
    """Return a notebook of code cells; ``cell_2="text"`` says what the second one put out."""
    cells = [nbformat.v4.new_code_cell(code) for code in codes]
    for n, cell in enumerate(cells, 1):
        if f"cell_{n}" in outputs:
            cell.outputs = [nbformat.v4.new_output("stream", text=outputs[f"cell_{n}"])]
    return nbformat.v4.new_notebook(cells=cells)


# how they are written


@notebooks
def test_a_notebook_asks_one_question_and_ends_with_its_answer(path):
    """A title that asks, short prose, short cells, and a last sentence that can be read alone."""
    cells = nbformat.read(path, as_version=4).cells
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    plain = [re.sub(r"```.*?```|^#.*$", "", text, flags=re.DOTALL | re.MULTILINE) for text in prose]
    codes = [cell.source for cell in cells if cell.cell_type == "code"]

    assert prose[0].splitlines()[0].startswith("# ")
    assert prose[0].splitlines()[0].endswith("?")
    assert prose[-1].startswith("**")
    assert cells[-1].cell_type == "code"
    assert [text for text in plain if len(text.split()) > PROSE_WORDS] == []
    assert [code for code in codes if len(code.splitlines()) > CODE_LINES] == []


@notebooks
def test_what_is_stored_is_small_and_the_same_everywhere(path):
    """No widget, no count, no time and no path of this computer; every cell is the one that was run."""
    notebook = nbformat.read(path, as_version=4)
    stored = path.read_text(encoding="utf-8")

    assert edited(notebook) == []
    assert is_stored(notebook)
    assert notebook == tidied(notebook)
    assert path.stat().st_size <= KILOBYTES * 1000
    assert "widget" not in stored
    assert not re.search(r"20\d\d-\d\d-\d\d", stored)
    assert not re.search(r"/(home|root|tmp|Users)/", stored)


# what is stored


def test_pieces_counts_widgets_and_progress_are_not_stored():
    """Text is whole however it was cut; a live view leaves its picture; the line below a waiting cell goes."""
    picture = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(picture, format="png")
    png = base64.b64encode(picture.getvalue()).decode()
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}, "image/png": png, "text/plain": "<live>"}
    notebook = book("print(1)")
    notebook.cells[0].execution_count = 7
    notebook.cells[0].outputs = [
        nbformat.v4.new_output("stream", text="one "),
        nbformat.v4.new_output("stream", text="two"),
        nbformat.v4.new_output("display_data", {"text/plain": "demo: quiet: done (4 messages, 4 runs, 11,519 tokens)"}),
        nbformat.v4.new_output("execute_result", view, execution_count=7, metadata={"isolated": True}),
    ]
    cell = tidied(notebook).cells[0]
    text, shown = cell.outputs

    assert cell.execution_count is None
    assert text.text == "one two"
    assert list(shown.data) == ["image/png", "text/plain"]
    assert Image.open(io.BytesIO(base64.b64decode(shown.data["image/png"]))).size == (256, 256)
    assert tidied(tidied(notebook)) == tidied(notebook)


def test_an_edited_cell_is_told_without_a_kernel():
    """Code that was changed, added or taken away; prose may change."""
    stored = tidied(book("a = 1", "a"))
    stored.cells.insert(1, nbformat.v4.new_markdown_cell("Look:"))
    unchanged = edited(stored)
    stored.cells[2].source = "a + 1"
    changed = edited(stored)
    del stored.cells[2]

    assert unchanged == []
    assert changed == ["cell 3 was edited, added or taken away, and the notebook was not run again"]
    assert edited(stored) == ["a cell at its end was edited, added or taken away, and the notebook was not run again"]


def test_another_text_is_told_with_its_cell():
    """What is stored, and what a fresh run says."""
    stored, fresh = tidied(book("1", "2", cell_2="old\n")), tidied(book("1", "2", cell_2="new\n"))

    assert differences(stored, stored) == []
    assert differences(stored, fresh) == [
        "cell 2 put out another text than is stored\n  stored: old\n\n  now:    new\n"
    ]  # fmt: skip


def test_a_notebook_runs_in_a_copy_where_no_setting_counts(tmp_path, monkeypatch):
    """Recordings travel with it, logs of earlier runs do not."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    for name in ("logs/old.db", "recordings/one.jsonl"):
        (tmp_path / "notebooks" / name).parent.mkdir(parents=True)
        (tmp_path / "notebooks" / name).write_text("{}")
    nbformat.write(book("1"), tmp_path / "notebooks" / "one.ipynb")
    with copied(tmp_path / "notebooks" / "one.ipynb") as copy:
        there = sorted(file.name for file in copy.path.parent.iterdir())
        key = os.environ["OPENAI_API_KEY"]

    assert there == ["one.ipynb", "recordings"]
    assert key == ""
    assert os.environ["OPENAI_API_KEY"] == "sk-secret"
    assert not copy.path.exists()


def test_a_recording_that_no_longer_fits_is_made_anew(tmp_path, capsys):
    """One that is missing, or of agents who were told something else; one that can be played stays as it is."""
    shutil.copytree(ROOT / "notebooks" / "recordings", tmp_path, dirs_exist_ok=True)
    demo_1, demo_2 = tmp_path / "demo_1.jsonl", tmp_path / "demo_2.jsonl"
    whole, stale = demo_1.read_text(), re.sub(r'"fingerprint": "\w+"', '"fingerprint": "0000"', demo_2.read_text())
    demo_2.write_text(stale)
    renew_recordings(tmp_path)
    first = capsys.readouterr().out
    demo_1.unlink()
    renew_recordings(tmp_path)

    assert first == "recorded demo_2.jsonl\n"
    assert demo_2.read_text() != stale
    assert capsys.readouterr().out == "recorded demo_1.jsonl\n"
    assert demo_1.read_text() == whole


# the check, as `make test` runs it

LIBRARY = """
def double(n):
    return 2 * n

def triple(n):
    return 4 * n

def halve(n):
    raise ValueError("broken")
"""
LEFT = [
    "import subprocess, sys, tempfile\nfrom pathlib import Path\nfrom intercom_nb import InterComService",
    "left = InterComService('left', logs=None)\nleft.start()",
    "sleeping = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)",
    "Path('logs').mkdir(exist_ok=True)\nPath('logs/fine').touch()\nPath('notes.txt').touch()",
    "handle, name = tempfile.mkstemp()",
]


@pytest.mark.kernel
def test_a_notebook_is_held_to_the_library_to_what_is_stored_and_to_leaving_nothing(tmp_path, monkeypatch, capsys):
    """One passes; those fail whose library has changed or broken, that was edited, that leaves things behind."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "pytest.toml").write_text("[pytest]\n")
    (tmp_path / "library.py").write_text(LIBRARY)
    folder = tmp_path / "notebooks"
    folder.mkdir()
    kept = {
        "fine": book("from library import double", "print(double(21))"),
        "changed": book("from library import triple", "print(triple(21))", cell_2="63\n"),
        "broken": book("from library import halve", "print(halve(42))", cell_2="21\n"),
        "leaves": book(*LEFT),
    }
    for name, notebook in kept.items():
        nbformat.write(tidied(notebook), folder / f"{name}.ipynb")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    refreshed = main([str(folder / "fine.ipynb")])
    edit = nbformat.read(folder / "fine.ipynb", as_version=4)
    edit.cells[1].source = "print(double(22))"
    nbformat.write(edit, folder / "edit.ipynb")
    checked = main([str(folder / "edit.ipynb"), "--check"])
    out, err = capsys.readouterr()
    command = [sys.executable, "-m", "pytest", "--nbmake", "-p", "no:cacheprovider", "-p", "no:cov", "notebooks"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    told = re.sub(r"\x1b\[[\d;]*m", "", run.stdout)

    assert (refreshed, checked) == (0, 1)
    assert "refreshed fine.ipynb" in out
    assert "edit.ipynb: cell 2 was edited" in err
    assert "to store them anew: make notebooks" in err
    assert "4 failed, 1 passed" in told
    assert "changed.ipynb: cell 2 put out another text than is stored\n  stored: 63\n\n  now:    84\n" in told
    assert "to store it anew: make notebooks" in told
    assert "ValueError: broken" in told
    assert "edit.ipynb: cell 2 was edited, added or taken away" in told
    assert "leaves.ipynb: it leaves the thread 'intercom left'" in told
    assert "leaves.ipynb: it leaves the process 'python" in told
    assert "leaves.ipynb: it leaves the file notebooks/notes.txt" in told
    assert "leaves.ipynb: it leaves the file tmp/" in told
    assert "logs/fine" not in told.partition("leaves.ipynb: ")[2]
