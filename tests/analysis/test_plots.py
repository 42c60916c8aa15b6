"""Pictures: what they say, and that nothing in them is cut or hidden, whoever is in the log."""

import itertools

import matplotlib as mpl
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from intercom_nb import Agent, call
from intercom_nb.analysis import read_frames
from intercom_nb.analysis.colours import colours
from intercom_nb.analysis.plots.activity import plot_activity
from intercom_nb.analysis.plots.canvas import label, listed
from intercom_nb.analysis.plots.cost import plot_cost
from intercom_nb.analysis.plots.graph import plot_graph
from intercom_nb.analysis.plots.timeline import plot_timeline
from intercom_nb.analysis.plots.who_to_whom import plot_who_to_whom
from intercom_nb.demos import run

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

PLOTS = [plot_graph, plot_timeline, plot_who_to_whom, plot_activity, plot_cost]
ODD = [
    "The Extraordinarily Knowledgeable Marketing Expert Who Knows Everything About Marketing",
    "日本語の名前を持つエージェント 😀👩‍🚀 研究所",
    "$x_1$ and $y^2",
    "_hidden",
    "W" * 200,
    r"back\slash {brace} %",
]


@pytest.fixture(autouse=True)
def _no_figure_left():
    """Close every figure after a test."""
    yield
    plt.close("all")


def texts(ax):
    """Return what is written in and around an axes, as one text."""
    ax.figure.canvas.draw()
    return "\n".join(text.get_text() for text in ax.findobj(Text))


def assert_whole(ax):
    """Draw the picture and see that nothing reaches over its edge, and no two names over each other."""
    figure = ax.figure
    figure.canvas.draw()
    box, room = ax.get_tightbbox(), figure.bbox

    assert box.x0 >= -1
    assert box.y0 >= -1
    assert box.x1 <= room.width + 1
    assert box.y1 <= room.height + 1
    for labels in (ax.get_xticklabels(), ax.get_yticklabels(), ax.texts):
        upright = [t.get_window_extent() for t in labels if t.get_text() and not t.get_rotation()]
        assert not any(one.padded(-1).overlaps(other.padded(-1)) for one, other in itertools.combinations(upright, 2))


def talking(scripted, names):
    """Return a finished conversation: everybody writes to the next one; the last one is silent."""
    agents = [Agent(name) for name in names]
    ids = [f"a{n}" for n in range(len(names))]
    agents = [Agent(name, id=one) for name, one in zip(names, ids, strict=True)]
    words = {
        name: [call("send_message", chat_id=to, message="Hello, what do you think?"), "Done."]
        for name, to in zip(names, ids[1:], strict=False)
    }
    intercom = scripted(words)
    intercom.add(*agents)
    with intercom:
        agents[0].begin()
        intercom.wait()
    return intercom


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("n_agents", [0, 1, 2, 60])
def test_nothing_said_is_drawn_too(scripted, plot, n_agents):
    """No message at all: a picture, or a sentence, and no warning."""
    intercom = scripted()
    intercom.add(*(Agent(f"Agent {n}") for n in range(n_agents)))
    ax = plot(intercom)

    assert_whole(ax)
    assert any(word in texts(ax) for word in ("Nobody", "Nothing", "No model"))


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("n_agents", [1, 2, 3, 7, 12, 13, 60])
def test_any_number_of_agents_is_drawn_whole(scripted, plot, n_agents):
    """Every name can be read, none over another or over the edge."""
    assert_whole(plot(talking(scripted, [f"Marketing Expert {n}" for n in range(n_agents)])))


@pytest.mark.parametrize("plot", PLOTS)
def test_odd_names_are_drawn(scripted, plot):
    """Long ones, wide ones, formulas, underscores, signs no font has: drawn without a warning."""
    assert_whole(plot(talking(scripted, ODD)))


def test_a_crowd_is_drawn_of_those_who_talked(scripted):
    """Of three hundred agents: the few who wrote or heard, in their own colours, and the title says so."""
    intercom = talking(scripted, [f"Agent {n}" for n in range(3)])
    names = [f"Agent {n}" for n in range(300)]
    crowd = scripted(
        {"Agent 7": [call("send_message", chat_id=f"agent-{n}", message="Hi") for n in (100, 200)] + ["."]}
    )
    crowd.add(*map(Agent, names))
    with crowd:
        crowd["agent-7"].begin()
        crowd.wait()

    for plot in (plot_graph, plot_who_to_whom, plot_timeline):
        ax = plot(crowd)
        title = " ".join(ax.get_title(loc="left").split())
        assert title.endswith("; the 3 of 300 who wrote or heard")
        assert_whole(ax)
        assert plot(intercom).get_title(loc="left").count("who wrote or heard") == 0
    assert [to_hex(patch.get_edgecolor()) for patch in plot_graph(crowd).patches] == [colours(names)["Agent 7"]] * 2
    assert plot_cost(crowd).get_title(loc="left").replace("\n", " ").endswith("; the 3 of 300 who spent anything")


@pytest.mark.parametrize("plot", [plot_graph, plot_who_to_whom, plot_timeline, plot_cost])
def test_a_crowd_that_all_talks_is_drawn_of_the_busiest(scripted, plot):
    """Sixty agents who all wrote: forty of them, whoever had most to do first."""
    ax = plot(talking(scripted, [f"Agent {n}" for n in range(60)]))
    title = " ".join(ax.get_title(loc="left").split())

    assert "; the 40 of 60 who " in title
    assert "Agent 59" not in texts(ax)
    assert_whole(ax)


def in_teams(scripted, n_teams, per_team=3):
    """Return a finished conversation of teams: each one's first member writes to its second, and to the next team."""
    replies = {}
    for team in range(n_teams):
        told = (f"t{team}-1", f"t{(team + 1) % n_teams}-{int(n_teams == 1)}")
        replies[f"t{team}-0"] = [[call("send_message", chat_id=one, message="Hello") for one in told], "Done."]
    intercom = scripted(replies, default="Done.")
    for team in range(n_teams):
        intercom.add(*(Agent(f"t{team}-{n}", team=f"studio {team}/design") for n in range(per_team)))
    intercom.add_person()
    with intercom:
        for one in replies:
            intercom[one].begin()
        intercom.wait()
    return intercom


@pytest.mark.parametrize("plot", [plot_graph, plot_who_to_whom])
@pytest.mark.parametrize("n_teams", [1, 2, 3, 12, 25])
def test_teams_are_drawn_whole(scripted, plot, n_teams):
    """However many there are, none over another, each with how many it has; the person beside them."""
    ax = plot(in_teams(scripted, n_teams), by="team")

    assert_whole(ax)
    shown = texts(ax)
    assert all(f"studio {team}/design" in " ".join(shown.split()) for team in range(n_teams))
    assert "You" in shown
    assert "t0-0" not in shown


def test_the_graph_of_teams_says_what_stayed_inside(scripted):
    """Beside each dot and in the title; no arrow leads from a dot to itself; colours go by the teams' places."""
    ax = plot_graph(in_teams(scripted, 3), by="team")
    teams = [f"studio {team}/design" for team in range(3)]

    assert [t.get_text() for t in ax.texts[:4]] == [*(f"{team}\n3 members, 1 inside" for team in teams), "You"]
    assert " ".join(ax.get_title(loc="left").split()).endswith("; 3 stayed within a team; nobody wrote to You")
    only = " ".join(plot_graph(in_teams(scripted, 1), by="team").get_title(loc="left").split())
    assert only == "Only studio 0/design wrote; 2 stayed within a team; nobody else wrote to studio 0/design and You"
    assert sorted(to_hex(arrow.get_edgecolor()) for arrow in ax.patches) == sorted(colours(teams).values())


def test_the_heat_map_of_teams_has_the_inside_on_its_diagonal(scripted):
    """Zeros there too, but for those who are alone."""
    intercom = in_teams(scripted, 3)
    ax = plot_who_to_whom(intercom, by="team")

    assert ax.images[0].get_array().tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert [t.get_text() for t in ax.get_yticklabels()] == [*(f"studio {n}/design (3)" for n in range(3)), "You"]
    assert sorted(t.get_text() for t in ax.texts) == ["0"] * 9 + ["1"] * 6
    assert len(plot_who_to_whom(intercom).get_yticklabels()) == 10


@pytest.mark.parametrize("plot", [plot_graph, plot_who_to_whom])
def test_a_crowd_of_teams_is_drawn_of_the_busiest(scripted, plot):
    """Sixty teams are too many as sixty agents are; hundreds of agents in a few teams are not."""
    crowd, few = plot(in_teams(scripted, 60, 2), by="team"), plot(in_teams(scripted, 3, 100), by="team")

    assert "; the 40 of 61 who wrote and heard most" in " ".join(crowd.get_title(loc="left").split())
    assert_whole(crowd)
    assert "; the" not in few.get_title(loc="left")
    assert "(100)" in texts(few) or "100 members" in texts(few)


@pytest.mark.parametrize("plot", [plot_graph, plot_who_to_whom])
def test_without_teams_the_picture_by_teams_is_the_same(scripted, plot):
    """The same title and texts, as of frames read before; what cannot be added up is said."""
    intercom = talking(scripted, ["Ann", "Bob", "Cy"])
    teams = in_teams(scripted, 2)

    assert texts(plot(read_frames(teams), by=1)) == texts(plot(teams, by=1))
    assert texts(plot(intercom, by="team")) == texts(plot(intercom))
    with pytest.raises(ValueError, match="by='chat': right would be 'agent', 'team'"):
        plot(intercom, by="chat")


@pytest.mark.parametrize("plot", PLOTS)
def test_a_picture_goes_where_it_is_told(scripted, plot):
    """Given axes are drawn on and returned, and no figure is made; else one is."""
    intercom = talking(scripted, ["Ann", "Bob"])
    _, (left, _) = plt.subplots(ncols=2, figsize=(18, 6))

    assert plot(intercom, ax=left) is left
    assert len(plt.get_fignums()) == 1
    made = plot(intercom)
    assert len(plt.get_fignums()) == 2
    assert made.figure.get_figwidth() == 9


def test_titles_say_what_is_seen():
    """The second demo: who wrote most, who was left alone, who thought and spent most."""
    demo = run(2, model="offline", logs="logs")

    assert plot_graph(demo.log).get_title(loc="left") == (
        "Founder wrote most: 4 of 8 deliveries; nobody wrote to Network Engineer"
    )
    assert plot_who_to_whom(demo.log).get_title(loc="left") == "Founder wrote most: 4 of 8 deliveries"
    assert "thought most" in plot_timeline(demo.log).get_title(loc="left")
    assert plot_activity(demo.log).get_title(loc="left").startswith("Founder spoke most: 2 of 4 messages; ")
    assert r"tokens; \$0 in all" in plot_cost(demo.log).get_title(loc="left").replace("\n", " ")


def test_the_heat_map_holds_the_counts(scripted):
    """Each pair's number stands in its cell; zeros too, but not for oneself."""
    ax = plot_who_to_whom(talking(scripted, ["Ann", "Bob", "Cy"]))

    assert ax.images[0].get_array().tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert sorted(text.get_text() for text in ax.texts) == ["0", "0", "0", "0", "1", "1"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["Ann", "Bob", "Cy"]


def test_an_agent_has_its_colour_everywhere(scripted):
    """Bars, lanes, dots and arrows of an agent have the colour that `colours` gives it."""
    intercom = talking(scripted, ["Ann", "Bob", "Cy"])
    ann, bob = list(colours(["Ann", "Bob", "Cy"]).values())[:2]

    assert [to_hex(patch.get_edgecolor()) for patch in plot_graph(intercom).patches] == [ann, bob]
    assert {ann, bob} <= {to_hex(c) for bars in plot_timeline(intercom).collections for c in bars.get_facecolors()}
    assert {ann, bob} == {to_hex(bar.get_facecolor()) for bar in plot_activity(intercom).patches}
    assert {ann, bob} <= {to_hex(bar.get_facecolor()) for bar in plot_cost(intercom).patches}


def test_a_timeline_shows_mail_that_waits(scripted):
    """What is pending is in the title, and its bar reaches to the end."""
    intercom = scripted()
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.send_message("Hello", "bob", "ann")

    assert plot_timeline(intercom).get_title(loc="left") == "Nobody has thought yet; 1 still waiting to be read"


def test_a_picture_changes_no_settings(scripted):
    """The settings of matplotlib are what they were."""
    intercom = talking(scripted, ["Ann", ODD[1]])
    before = dict(mpl.rcParams)
    for plot in PLOTS:
        plot(intercom)

    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("Ann", "Ann"),
        ("A $5 idea", r"A \$5 idea"),
        ("x" * 40, "x" * 19 + "…" + "x" * 9),
        ("日" * 20, "日" * 9 + "…" + "日" * 4),
    ],
)
def test_names_that_are_too_long_lose_their_middle(name, drawn):
    """Thirty columns at most, of which wide characters take two."""
    assert label(name) == drawn


def test_many_names_are_counted():
    """A title names three at most."""
    assert listed(["Ann"]) == "Ann"
    assert listed(["Ann", "Bob", "Cy"]) == "Ann, Bob and Cy"
    assert listed(f"A{n}" for n in range(9)) == "A0, A1 and 7 others"
