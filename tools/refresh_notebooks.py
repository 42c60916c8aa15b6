"""Run every notebook again and store what it puts out, or tell where the stored text is not what a fresh run says.

``python tools/refresh_notebooks.py`` rewrites them; with ``--check`` nothing is written. Each runs in a copy of its
folder, without key and network, and is watched: a thread, a process or a file outside ``logs/`` that it leaves is told.
"""

import argparse
import base64
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image

from intercom_nb import InterComService, RecordingError, demos, to_jsonl

__all__ = ["Copy", "copied", "differences", "edited", "is_stored", "main", "sources", "tidied"]

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
COMMAND = "make notebooks"
OFFLINE = {
    **dict.fromkeys(("OPENAI_API_KEY", "OPENAI_BASE_URL", "INTERCOM_MODEL", "INTERCOM_PLAY"), ""),
    **dict.fromkeys(("THREAD_LOGS_PATH", "AGENTS_PATH", "MPLBACKEND"), ""),
}
"""Settings that would make a notebook say something else: empty, not unset, since the environment goes before .env."""

_STAMP = "intercom_nb"  # our entry in a notebook's metadata
_WIDGET = "application/vnd.jupyter.widget-view+json"  # without the widget's state, a reader would see an error
_COMPARED = ("text/plain", "text/html", "text/markdown")
_COLOURS = 128  # of a stored picture: enough for letters with soft edges, a third of the bytes
# The line that changes in place below a waiting cell. How many runs there were may differ from one time to the next.
_PROGRESS = re.compile(r".+: .+ \([\d,]+ messages?, [\d,]+ runs?, [\d,]+ tokens?[^()]*\)")

_BEFORE = """
import threading
_there_before = set(threading.enumerate())
"""
_AFTER = """
import json, threading, psutil
_kernel = ("zmq.", "ipykernel.")  # sending large outputs takes a thread of the kernel's own
_new = [one for one in threading.enumerate() if one not in _there_before]
_new = [one for one in _new if not type(one).__module__.startswith(_kernel)]
for one in _new:
    one.join(2)
_left = [f"the thread {one.name!r}" for one in _new if one.is_alive()]
_left += [f"the process {one.name()!r}" for one in psutil.Process().children(recursive=True)]
print(json.dumps(_left))
"""


# ---------------------------------------------------------------- what is stored


def sources(notebook: NotebookNode) -> list[str]:
    """Return a short hash for each code cell; prose may change without a run."""
    codes = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return [hashlib.sha256(code.strip().encode()).hexdigest()[:12] for code in codes]


def is_stored(notebook: NotebookNode) -> bool:
    """Return whether it was stored by this program."""
    return _STAMP in notebook.metadata


def edited(notebook: NotebookNode) -> list[str]:
    """Return a sentence if a code cell is not the one whose outputs are stored; needs no kernel."""
    stored = notebook.metadata.get(_STAMP, {}).get("sources", [])
    numbers = [n for n, cell in enumerate(notebook.cells, 1) if cell.cell_type == "code"]
    for was, now, number in zip_longest(stored, sources(notebook), numbers):
        if was != now:
            where = f"cell {number}" if number is not None else "a cell at its end"
            return [f"{where} was edited, added or taken away, and the notebook was not run again"]
    return []


def tidied(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook as it is stored: its outputs without what differs from run to run."""
    tidy = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for n, cell in enumerate(tidy.cells):
        cell.id, cell.metadata = f"cell-{n}", {}
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = list(_tidied(cell.outputs))
    tidy.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            _STAMP: {"sources": sources(tidy)},
        }
    )
    return tidy


def _tidied(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    stream: NotebookNode | None = None
    for output in outputs:
        for clutter in ("transient", "execution_count"):
            output.pop(clutter, None)
        if output.output_type == "execute_result":
            output.execution_count = None
        if output.output_type == "stream" and stream is not None and stream.name == output.name:
            stream.text += output.text  # how a text is cut into pieces depends on the moment
            continue
        stream = output if output.output_type == "stream" else None
        if "data" in output:
            output.data.pop(_WIDGET, None)
            output.metadata = {}
            if "image/png" in output.data:
                output.data["image/png"] = _smaller(output.data["image/png"])
            if output.data.keys() == {"text/plain"} and _PROGRESS.fullmatch(output.data["text/plain"]):
                continue
        yield output


def _smaller(picture: str) -> str:
    """Return a PNG in base64 with fewer colours; one that has few already is left as it is."""
    whole = Image.open(io.BytesIO(base64.b64decode(picture)))
    if whole.mode == "P":
        return picture
    small = io.BytesIO()
    whole.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def differences(stored: NotebookNode, fresh: NotebookNode) -> list[str]:
    """Return a sentence for each cell whose stored outputs are not those of a fresh run; both tidied.

    Texts are compared; of a picture, only that there is one.
    """
    told = []
    for number, (old, new) in enumerate(zip(stored.cells, fresh.cells, strict=True), 1):
        was, now = _texts(old), _texts(new)
        if was != now:
            said, says = next((a, b) for a, b in zip_longest(was, now, fillvalue="nothing") if a != b)
            told.append(f"cell {number} put out another text than is stored\n  stored: {said}\n  now:    {says}")
    return told


def _texts(cell: NotebookNode) -> list[str]:
    texts = []
    for output in cell.get("outputs", []):
        data: Mapping[str, Any] = output.get("data", {})
        texts += [data[kind] for kind in _COMPARED if kind in data]
        texts += ["a picture"] * ("image/png" in data)
        texts += [output[part] for part in ("text", "ename", "evalue") if part in output]
    return texts


# ---------------------------------------------------------------- running one


@dataclass(frozen=True, slots=True)
class Copy:
    """A notebook in a copy of its folder, with a cell before and one after its own that look at what it leaves."""

    path: Path
    root: Path
    files: dict[str, bytes]

    def ran(self) -> NotebookNode:
        """Return the notebook as it ran, without those two cells, tidied."""
        notebook = nbformat.read(self.path, as_version=4)
        notebook.cells = notebook.cells[1:-1]
        return tidied(notebook)

    def left_behind(self) -> list[str]:
        """Return a sentence for each thing the notebook left behind."""
        outputs = nbformat.read(self.path, as_version=4).cells[-1].outputs
        left = json.loads("".join(output.text for output in outputs if output.output_type == "stream") or "[]")
        files = _files(self.root)
        left += [f"the file {name}" for name in sorted(files.keys() - self.files.keys())]
        left += [f"{name} changed" for name in sorted(self.files) if files.get(name) != self.files[name]]
        return [f"it leaves {one}; stop what it starts, and write into logs/ only" for one in left]


@contextmanager
def copied(path: Path) -> Iterator[Copy]:
    """Copy a notebook and what lies beside it to a place of its own, and let no setting count there."""
    with tempfile.TemporaryDirectory(prefix="notebooks-") as place:
        root = Path(place)
        there = root / path.parent.name
        shutil.copytree(path.parent, there, ignore=shutil.ignore_patterns("logs", ".*", "*.ipynb", "__pycache__"))
        (root / "tmp").mkdir()
        notebook = nbformat.read(path, as_version=4)
        probes = (nbformat.v4.new_code_cell(source.strip()) for source in (_BEFORE, _AFTER))
        notebook.cells = [next(probes), *notebook.cells, next(probes)]
        nbformat.write(notebook, there / path.name)
        with mock.patch.dict(os.environ, OFFLINE | {"TMPDIR": str(root / "tmp")}):
            yield Copy(there / path.name, root, _files(root))


def _files(root: Path) -> dict[str, bytes]:
    """Return the files that a notebook is not to touch, with their contents."""
    files = [path for path in root.rglob("*") if path.is_file() and path.suffix != ".ipynb"]
    named = {path.relative_to(root): path for path in files}
    return {str(name): path.read_bytes() for name, path in named.items() if name.parts[1] != "logs"}


def run(path: Path) -> tuple[NotebookNode, list[str]]:
    """Run a notebook in a copy; return it tidied, and what it left behind.

    Raises
    ------
    CellExecutionError
        If a cell fails.
    """
    with copied(path) as copy:
        notebook = nbformat.read(copy.path, as_version=4)
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(copy.path.parent)}}).execute()
        nbformat.write(notebook, copy.path)
        return copy.ran(), copy.left_behind()


# ---------------------------------------------------------------- the recordings, and the program


def renew_recordings(folder: Path) -> None:
    """Record the demos anew with the offline assistant, unless what is recorded can still be played to its end."""
    for demo in (1, 2):
        path = folder / f"demo_{demo}.jsonl"
        if not _plays(demo, path):
            intercom = _started(demo, model="offline")
            while intercom.step() is not None:  # one agent after the other: the same again gives the same text
                intercom.wait(progress=False)
            intercom.stop()
            to_jsonl(intercom, path, for_play=True)
            print(f"recorded {path.name}")


def _plays(demo: int, path: Path) -> bool:
    try:
        with _started(demo, play=path) as intercom:
            return intercom.wait(progress=False) == "quiet"
    except RecordingError:
        return False


def _started(demo: int, **settings: Any) -> InterComService:
    intercom = InterComService(f"demo_{demo}", logs=None, **settings)
    intercom.add(*demos.cast(demo))
    intercom["founder"].begin()
    return intercom


def main(arguments: list[str] | None = None) -> int:
    """Refresh or check the notebooks; return 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("notebooks", nargs="*", type=Path, help="which ones; all without it")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where something is stale")
    given = parser.parse_args(arguments)
    paths = given.notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    wrong = 0
    if not given.check and not given.notebooks:
        renew_recordings(NOTEBOOKS / "recordings")
    for path in paths:
        stored = nbformat.read(path, as_version=4)
        told = edited(stored) if given.check else []
        if not told:
            try:
                fresh, told = run(path)
            except CellExecutionError as error:
                told = [f"a cell failed: {error.ename}: {error.evalue}"]
            else:
                told += differences(stored, fresh) if given.check else []
                if not given.check and not told:
                    nbformat.write(fresh, path)
                    print(f"refreshed {path.name}, {path.stat().st_size // 1000} kB")
        for sentence in told:
            print(f"{path.name}: {sentence}", file=sys.stderr)
        wrong += bool(told)
    if wrong and given.check:
        print(f"to store them anew: {COMMAND}", file=sys.stderr)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
