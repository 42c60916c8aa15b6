"""Which files a reader takes for logs."""

import sqlite3
from contextlib import closing

import pytest

from intercom_nb import InterComService, LogError, left_alone, read_frames, runs_df


@pytest.mark.parametrize("read", [InterComService.open, runs_df, left_alone])
def test_a_log_from_before_the_first_release_is_refused_in_words(tmp_path, read):
    """Its tables are not those that the queries name, and nobody should have to read SQLite's error."""
    with InterComService("old", logs=tmp_path, model="offline") as intercom:
        path = intercom.log.path
    with closing(sqlite3.connect(path)) as log, log:
        log.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")

    with pytest.raises(LogError, match=r"before the first release \(schema 1\); this version reads schema 2"):
        read(path)
    assert "first release" in read_frames(path, strict=False).runs.attrs["errors"][0]
