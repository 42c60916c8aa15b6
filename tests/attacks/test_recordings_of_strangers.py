"""A recording is data: one that was cut off is played as far as it goes, and an odd one is refused in a sentence."""

import json

import pytest

from intercom_nb import Agent, InterComError, InterComService, LogDamagedError, ScriptedAssistant, from_jsonl, to_jsonl

LIMIT_S = 60


def talk(folder, **given):
    """Let an agent answer three messages, and return the service, which has stopped."""
    with InterComService("s", logs=folder, thread_logs=False, **given) as intercom:
        intercom.add(Agent("Ann"))
        for n in range(3):
            intercom.send_message(f"Message {n}", "ann")
            intercom.wait(LIMIT_S)
    return intercom


def said(intercom):
    """Return what the agent said, as its log has it."""
    with InterComService.open(intercom.log, model=ScriptedAssistant()) as opened:
        opened.pause()
        return [item["content"] for item in opened["ann"].conversation if item.get("role") == "assistant"]


@pytest.fixture
def text(tmp_path):
    """Give the text of a log in which an agent answered with letters that have more than one byte."""
    made = talk(tmp_path / "made", model=ScriptedAssistant({"Ann": ["Größe 0", "Größe 1", "Größe 2"]}))
    return to_jsonl(made.log, tmp_path / "s.jsonl", for_play=True)


def test_a_text_that_was_cut_off_is_played_as_far_as_it_goes(text, tmp_path):
    """Wherever in its last lines; where it ends, it says so, with the line."""
    whole = text.read_bytes()
    lines = whole.splitlines(keepends=True)
    third = next(n for n, line in enumerate(lines) if b'"items"' in line and "Größe 2".encode() in line)
    before = sum(map(len, lines[:third]))
    letter = lines[third].index("ö".encode()) + 1
    for size in (before, before + 1, before + letter, before + len(lines[third]) - 1):
        cut = tmp_path / f"{size}.jsonl"
        cut.write_bytes(whole[:size])
        played = talk(tmp_path / f"played-{size}", play=cut)

        assert said(played) == ["Größe 0", "Größe 1"]
        assert played.reason == "failed"
        line = third if size == before else third + 1
        assert f"its text was cut off in line {line}, and is played up to the last place" in played.status
        with pytest.raises(LogDamagedError):  # a log made of it would be taken for the whole
            from_jsonl(cut, tmp_path / f"{size}.db")


def test_a_text_without_its_last_line_break_is_whole(text, tmp_path):
    """An editor may have taken it away."""
    text.write_bytes(text.read_bytes().rstrip(b"\n"))

    assert said(talk(tmp_path / "played", play=text)) == ["Größe 0", "Größe 1", "Größe 2"]


ODD = [None, True, -1, 2**70, 1e400, "", "x", [], {}, [[1]], "\ud800", "inf"]


def test_an_odd_field_is_one_sentence(text, tmp_path):
    """In each table and column, left out or of each odd kind: it is played, or refused by an error of ours."""
    lines = text.read_text().splitlines()
    seen, n = set(), 0
    for number, line in enumerate(lines):
        ((table, row),) = json.loads(line).items() if number else (("head", json.loads(line)),)
        for column in row if table not in seen else ():
            for odd in (..., ODD[n % len(ODD)], ODD[(n + 5) % len(ODD)]):
                n += 1
                changed = {name: value for name, value in row.items() if name != column}
                changed |= {} if odd is ... else {column: odd}
                lines[number] = json.dumps({table: changed} if number else changed)
                path = tmp_path / "odd.jsonl"
                path.write_text("\n".join(lines) + "\n")
                told = ""
                try:
                    InterComService("again", play=path, logs=None).stop()
                except InterComError as error:
                    told = str(error)
                assert "\n" not in told
                assert len(told) < 1_000
        lines[number] = line
        seen.add(table)
    assert n > 100


@pytest.mark.parametrize("line", ["", "null", "[]", "{}", '"x"', "[" * 100_000, "{" * 100_000, '{"runs": []}', "\x00"])
def test_an_odd_line_is_one_sentence(text, line):
    """In the midst of a text it is no end of it."""
    lines = text.read_text().splitlines()
    text.write_text("\n".join([*lines[:5], line, *lines[5:]]) + "\n")

    with pytest.raises(InterComError, match=r"line 6|cannot be played") as raised:
        InterComService("again", play=text, logs=None)
    assert len(str(raised.value)) < 1_000
