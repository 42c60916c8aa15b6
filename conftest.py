"""What the examples in the docstrings may rely on: `intercom`, a finished first demo."""

import pytest

from intercom_nb import demos


@pytest.fixture(scope="session", autouse=True)
def _examples(doctest_namespace, tmp_path_factory):
    """Give the examples a finished demo, and a backend that needs no screen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "Agg")
        doctest_namespace["intercom"] = demos.run(1, model="offline", logs=tmp_path_factory.mktemp("examples"))
        yield
