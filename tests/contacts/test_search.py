"""Agents found by words and by meaning: by agents with `search_agents`, by people with `intercom.search`."""

import hashlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counts import times
from intercom_nb import Agent, InterComService, InvalidToolError, ScriptedAssistant, call

CAST = {
    "Baker": "Kneads sourdough bread.",
    "Plumber": "Repairs leaking pipes and boilers.",
    "Photographer": "Takes portraits at weddings.",
    "Colour Adviser": "Organises the colours of a city centre.",
}


def found_by(scripted, *queries, extra=(), **given):
    """Return a service of which Ann has searched, all in one step, and what her calls gave."""
    steps = [call("search_agents", **(one if isinstance(one, dict) else {"query": one})) for one in queries]
    intercom = scripted({"Ann": [steps, "Done."]}, **{"contacts": [], **given})
    intercom.add(Agent("Ann"), *(Agent(name, description=text) for name, text in CAST.items()), *extra)
    intercom.start()
    intercom["ann"].begin()
    assert intercom.wait(60) == "quiet"
    return intercom, [item["output"] for item in intercom["ann"].conversation if "output" in item]


def ids(output):
    """Return the ids in the lines of a search."""
    return [json.loads(line)["id"] for line in output.splitlines()]


def test_results_are_lines_of_a_chat_list(scripted):
    """Best first, and whoever is found is a contact from then on."""
    intercom, (output,) = found_by(scripted, "bread")

    assert json.loads(output) == {"id": "baker", "name": "Baker", "description": CAST["Baker"], "type": "agent"}
    assert intercom.get_chat_list_for("ann") == [json.loads(output)]
    assert intercom._store.rows("SELECT agent_id, contact_id FROM contacts") == [("ann", "baker")]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("someone to repair a pipe", "plumber"),  # stems
        ("photo", "photographer"),  # beginnings
        ("kneading", "baker"),
        ("color organizer of the center", "colour-adviser"),  # spellings
        ("who can mend it?", "plumber"),  # synonyms
        ("BAKER", "baker"),
    ],
)
def test_agents_are_found_in_other_forms_of_their_words(scripted, query, first):
    """For agents and for people alike."""
    intercom, (output,) = found_by(scripted, query)

    assert ids(output)[0] == first
    assert intercom.search(query)[0].id == first


def test_missions_are_searched_too(scripted):
    """Below names and descriptions."""
    extra = [Agent("Zed", mission="Write about volcanoes."), Agent("Yve", description="Knows volcanoes.")]
    _, (output,) = found_by(scripted, "volcano", extra=extra)

    assert ids(output) == ["yve", "zed"]


def test_nobody_and_nonsense_are_answered_with_a_sentence(scripted):
    """An empty query, one that finds nobody, a wrong argument."""
    _, outputs = found_by(scripted, "  ", "xylophone", {"words": "x"}, "😀", {"query": "bread", "limit": "many"})

    assert outputs[0] == "Error: the query is empty: write a few words about what you need"
    assert outputs[1].startswith("nobody was found; try other words")
    assert "there is no argument 'words'" in outputs[2]
    assert outputs[3].startswith("nobody was found")
    assert outputs[4].startswith("Error: search_agents: the argument 'limit'")


def test_a_limit_is_kept(scripted):
    """Five unless given, at least one, at most twenty."""
    extra = [Agent(f"Roofer {n}", description="Roofs.") for n in range(30)]
    queries = [{"query": "roof", "limit": limit} for limit in (None, 7, 1_000, 0, -3)]
    intercom, outputs = found_by(scripted, *queries, extra=extra)

    assert [len(ids(output)) for output in outputs] == [5, 7, 20, 1, 1]
    assert len(intercom.search("roof", limit=30)) == 30
    assert intercom.search("roof", limit=0) == []


def test_an_agent_finds_neither_itself_nor_whom_it_may_not_reach(scripted):
    """And persons at the notebook find everybody."""
    intercom, (output,) = found_by(scripted, "bread or pipes, Ann", may_contact=lambda _, other: other.name != "Baker")

    assert ids(output) == ["plumber"]
    assert [agent.id for agent in intercom.search("bread")] == ["baker"]


def test_where_everyone_is_shown_there_is_no_search(scripted):
    """It is neither offered nor carried out; a tool of one's own may never bear its name."""
    intercom, (output,) = found_by(scripted, "bread", contacts="everyone")

    assert "there is no tool 'search_agents'" in output
    assert "search_agents" not in [tool["name"] for tool in intercom.assistant.requests[0]["tools"]]

    def search_agents(query: str) -> str:
        """Find."""
        return query

    with pytest.raises(InvalidToolError):
        intercom.add(Agent("Own", tools=[search_agents]))


def test_an_edit_is_found_at_once(scripted):
    """Also in the step after, and what was there before no longer is."""
    intercom, _ = found_by(scripted, "bread")
    intercom["plumber"].description = "Bakes gingerbread."
    intercom["baker"].mission = "Climb mountains."

    assert [agent.id for agent in intercom.search("gingerbread")] == ["plumber"]
    assert [agent.id for agent in intercom.search("mountain climber")] == ["baker"]
    assert intercom.search("leaking boilers") == []


def test_found_contacts_outlive_the_process(tmp_path):
    """In the order in which they were found."""
    steps = [call("search_agents", query="pipes"), call("search_agents", query="bread"), "Done."]
    with InterComService("found", model=ScriptedAssistant({"Ann": steps}), logs=tmp_path, contacts=[]) as intercom:
        intercom.add(Agent("Ann"), *(Agent(name, description=text) for name, text in CAST.items()))
        intercom["ann"].begin()
        intercom.wait(60)
    with InterComService.open(intercom.log.path, model=ScriptedAssistant()) as again:
        assert [entry["id"] for entry in again.get_chat_list_for("ann")] == ["plumber", "baker"]
        assert [agent.id for agent in again.search("bread")] == ["baker"]


def test_those_found_long_ago_make_room(scripted):
    """The latest twenty are contacts."""
    extra = [Agent(f"R{n}", description=f"roof{n}x") for n in range(25)]
    intercom, _ = found_by(scripted, *(f"roof{n}x" for n in range(25)), extra=extra)

    assert [entry["id"] for entry in intercom.get_chat_list_for("ann")] == [f"r{n}" for n in range(5, 25)]


HOSTILE = [
    '"',
    '""""',
    "NEAR(a b)",
    "AND OR NOT",
    "name : baker",
    "{name description} : x",
    "-x ^y *",
    "bread*",
    "'; DROP TABLE agents; --",
    "\x00bread\x00",
    "😀👩‍🍳🥖",
    "ÄÖÜ ß ﬁ \uff19 ٣",
    "\ud83d",
    "a" * 10_000,
    "bread " * 2_000,
    " ".join(f"w{n}" for n in range(3_000)),
    "(" * 500,
    "\n\t\r",
]


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_in_a_query_is_an_operator(scripted, query):
    """Whatever a model writes, it is answered, and the next search works."""
    _, (first, second) = found_by(scripted, query, "bread")

    assert "syntax" not in first
    assert ids(second) == ["baker"]


@settings(max_examples=times(200))
@given(query=st.text(max_size=200), description=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_text_may_be_searched_for_and_found(query, description):
    """People's queries and agents' texts of any characters; found are agents, each once."""
    intercom = InterComService("any", model="offline", logs=None, contacts="relevant")
    try:
        intercom.add(
            Agent("Ann", description=description), Agent("Baker", mission=query.encode(errors="ignore").decode())
        )
        found = intercom.search(query.encode(errors="ignore").decode())
        assert len({agent.id for agent in found}) == len(found) <= 2
        intercom.get_chat_list_for("baker")
    finally:
        intercom.stop()


@pytest.mark.alone
def test_a_thousand_agents_are_searched_in_little_time(scripted):
    """Generously: less than 10 ms of CPU; the benchmark says how long it takes."""
    intercom = scripted()
    intercom.add(*(Agent(f"A{n}", description=f"Knows topic t{n} of field f{n % 50}.") for n in range(1_000)))
    assert intercom.search("topic t500 of the field f0")[0].id == "a500"
    began = time.process_time()
    for n in range(100):
        intercom.search(f"topic t{n} of the field f{n % 50}")
    assert (time.process_time() - began) / 100 < 0.01


# -- meaning --------------------------------------------------------------------------------------------------------


class WithVectors(ScriptedAssistant):
    """A scripted assistant whose server also has embeddings: whatever shares a written-down meaning is near."""

    meanings = ("bread loaf", "pipe tap water", "picture camera")

    def __init__(self, replies, *, works=True):
        super().__init__(replies)
        self.works, self.asked = works, []

    async def __call__(self, scope, receive, send):
        """Answer a request for vectors, or as scripted."""
        if not scope["path"].endswith("/embeddings"):
            await super().__call__(scope, receive, send)
            return
        body = json.loads((await receive())["body"])
        self.asked.append(body)
        status = 200 if self.works is True else 400
        data = [{"index": n, "embedding": self._vector(text)} for n, text in enumerate(body["input"])][::-1]
        answer = self.works if isinstance(self.works, dict) else {"data": data}
        await send({"type": "http.response.start", "status": 200 if answer is self.works else status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def _vector(self, text):
        noise = hashlib.sha256(text.encode()).digest()[:4]
        shared = [float(any(word in text.casefold() for word in meaning.split())) for meaning in self.meanings]
        return [*shared, *(byte / 25_500 for byte in noise)]


def with_vectors(queries, **given):
    """Return a service whose search goes by meaning, too, after Ann's searches; and what they gave."""
    steps = [call("search_agents", query=query) for query in queries]
    assistant = WithVectors({"Ann": [*steps, "Done."]}, **given)
    intercom = InterComService("vectors", model=assistant, logs=None, contacts=[], embeddings="small")
    intercom.assistant = assistant
    intercom.add(Agent("Ann"), *(Agent(name, description=text) for name, text in CAST.items()))
    with intercom:
        intercom["ann"].begin()
        assert intercom.wait(60) == "quiet"
    return intercom, [item["output"] for item in intercom["ann"].conversation if "output" in item]


def test_what_shares_no_word_is_found_by_its_meaning():
    """Words and meaning fused: a match of both stands first; each text is asked for once."""
    intercom, outputs = with_vectors(["a loaf", "a tap", "loaf for weddings", "a loaf"])
    asked = [text for body in intercom.assistant.asked for text in body["input"]]

    assert ids(outputs[0])[0] == "baker"
    assert ids(outputs[1])[0] == "plumber"
    assert set(ids(outputs[2])[:2]) == {"baker", "photographer"}
    assert len(asked) == len(set(asked)) == 5 + 3
    assert {body["model"] for body in intercom.assistant.asked} == {"small"}


@pytest.mark.parametrize("works", [False, {}, {"data": []}, {"data": [{"index": 0, "embedding": "x"}]}])
def test_where_the_server_fails_search_goes_by_words(works):
    """One event says so, and it is not asked again."""
    intercom, outputs = with_vectors(["bread", "bread", "pipes"], works=works)

    assert [ids(output) for output in outputs] == [["baker"], ["baker"], ["plumber"]]
    assert len(intercom._store.rows("SELECT 1 FROM events WHERE kind = 'embeddings_failed'")) == 1
    assert len({json.dumps(body) for body in intercom.assistant.asked}) == 1


def test_vectors_cannot_be_played(tmp_path):
    """It says so before anything is made."""
    with pytest.raises(ValueError, match="embeddings= cannot be played"):
        InterComService("x", logs=None, embeddings="small", play=tmp_path / "x.jsonl")
