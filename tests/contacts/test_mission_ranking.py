"""Whom missions need: after edits as if found from nothing, and the beginning of a ranking has variety."""

from hypothesis import given, settings
from hypothesis import strategies as st

from counts import times
from intercom_nb import Agent
from intercom_nb.contacts.mission_ranking import Relevance

WORDS = ["bake", "baker", "bread", "doctor", "physician", "harbour", "harbor", "photo", "photographer", "the", "Zoë"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 45), TEXTS),
        st.tuples(st.just("ask"), st.integers(0, 2), st.integers(1, 6)),
    ),
    max_size=60,
)


def made(texts):
    """Return an index of these texts, made from nothing."""
    fresh = Relevance()
    for key, text in texts.items():
        fresh.put(key, f"Agent {key}", text)
    return fresh


@settings(max_examples=times(300))
@given(missions=st.tuples(TEXTS, TEXTS, TEXTS), first=st.lists(TEXTS, max_size=45), acts=ACTS)
def test_a_ranking_after_edits_is_that_of_an_index_made_from_nothing(missions, first, acts):
    """Whoever is added and edited between two questions, in whichever order; to the last agent."""
    texts = {f"a{n}": text for n, text in enumerate(first)}
    kept = made(texts)
    for act, one, other in [*acts, ("ask", 0, 3), ("ask", 1, 3)]:
        if act == "put":
            texts[f"a{one}"] = other
            kept.put(f"a{one}", f"Agent a{one}", other)
        else:
            expected = list(made(texts).ranked(missions[one], other))
            assert list(kept.ranked(missions[one], other)) == expected
            assert len(expected) == len(set(expected))


def test_many_edits_and_another_mission_are_followed():
    """A third of all agents between two questions; and a mission that was edited itself."""
    texts = {f"a{n}": f"Bakes bread {n}." for n in range(300)}
    kept = made(texts)
    for mission in ("Sell bread.", "Sell boats.", "Sell bread."):
        for n in range(0, 300, 3):
            texts[f"a{n}"] = f"Builds boats for {mission}"
            kept.put(f"a{n}", f"Agent a{n}", texts[f"a{n}"])
        assert list(kept.ranked(mission, 20)) == list(made(texts).ranked(mission, 20))


def test_spellings_accents_and_everyday_matters_count():
    """As in a search."""
    texts = {"a": "Runs a café by the harbour.", "b": "A physician.", "c": "Photographs of hats."}
    kept = made(texts)
    for mission, right in {
        "cafe": "a",
        "HARBOR": "a",
        "Find a doctor": "b",
        "a photo": "c",
        "photographers": "c",
    }.items():
        assert list(kept.ranked(mission, 20)) == [right]


def test_an_edit_of_somebody_else_is_seen_at_once(scripted):
    """Who begins to fit is shown, and who no longer does is not; the others keep their places."""
    intercom = scripted(contacts="relevant")
    intercom.add(
        Agent("Host", mission="Find a beekeeper."),
        *(Agent(f"B{n}", description=f"A beekeeper of village {n}.") for n in range(10)),
        *(Agent(f"N{n}", description=f"A plumber of village {n}.") for n in range(90)),
    )
    before = [entry["id"] for entry in intercom.get_chat_list_for("host")]
    intercom["n7"].description = "Also a beekeeper."
    intercom["b3"].description = "A plumber."
    after = [entry["id"] for entry in intercom.get_chat_list_for("host")]
    assert before == [f"b{n}" for n in range(10)]
    assert [one for one in after if one != "n7"] == [one for one in before if one != "b3"]
    assert "n7" in after


def test_those_of_one_kind_do_not_fill_a_list(scripted):
    """Descriptions that are the same, or nearly, make room for others that the mission needs as well."""
    intercom = scripted(contacts=9)
    towns = [f"{tree}{end}" for tree in ("Ash", "Elm", "Oak") for end in ("ton", "ham", "wick", "ford")]
    matters = {
        "Baker": "Bakes bread and wedding cakes",
        "Singer": "Sings at weddings",
        "Florist": "Ties flowers for weddings",
    }
    intercom.add(
        Agent("Host", mission="Prepare a wedding: cakes, songs and flowers."),
        *(
            Agent(f"{trade} {town}", description=f"{what} in {town}.")
            for trade, what in matters.items()
            for town in towns
        ),
    )
    shown = [entry["name"] for entry in intercom.get_chat_list_for("host")]
    assert len(shown) == 9
    assert {name.split()[0] for name in shown} == set(matters)


def test_an_only_match_stands_first_however_many_are_alike():
    """Variety moves nobody above those who fit much better, and drops nobody."""
    texts = {f"a{n}": "Sells tea in the harbour." for n in range(30)}
    texts["b"] = "Repairs clocks in the harbour."
    found = list(made(texts).ranked("Have a clock repaired.", 20))
    assert found == ["b"]
    found = list(made(texts).ranked("Have a clock repaired, and drink tea.", 20))
    assert found[0] == "b"
    assert sorted(found) == sorted(texts)
