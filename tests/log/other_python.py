"""Another Python, for what two processes do at once."""

import os
import subprocess
import sys


def python(code, *arguments, **options):
    """Return a process of another Python that runs this code, with the same modules at hand."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
