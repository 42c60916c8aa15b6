"""Run every notebook again and store its outputs, without what differs from run to run."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def refresh(path: Path) -> None:
    """Run one notebook from top to bottom and write it back."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for n, cell in enumerate(notebook.cells):
        cell.id = f"cell-{n}"
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.execution_count = None
            for output in cell.outputs:
                output.pop("execution_count", None)
                output.pop("transient", None)
                if "metadata" in output:
                    output.metadata = {}
    nbformat.write(notebook, path)


def main() -> int:
    """Refresh all notebooks."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        refresh(path)
        print(f"refreshed {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
