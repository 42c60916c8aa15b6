"""The guard against talk for the sake of talk: it stops endless loops within six messages, and nothing else."""

from datetime import UTC, datetime

import pytest

from intercom_nb import Agent, InterComService, Limits, OfflineAssistant, ScriptedAssistant, call
from intercom_nb.demos import cast
from intercom_nb.messages import Message
from intercom_nb.routing.courtesy import Courtesy
from intercom_nb.texts.turns import read_turn

LOOPS = {
    "thanks": ["Thank you!", "You're welcome!"],
    "wordy thanks": [
        "Thank you so much for your insightful feedback, Bob! I really appreciate your support.",
        "You're very welcome, Ann! It was my pleasure to assist. Please don't hesitate to reach out.",
        "Thank you, Bob! I truly value our collaboration and look forward to working together again.",
        "Likewise, Ann! I'm excited about the journey ahead and the opportunities it will bring us.",
        "Absolutely! Together we will achieve great things. Have a wonderful day!",
        "Thank you, Ann! Wishing you a fantastic day as well. Take care!",
    ],
    "agreement": [
        "I agree completely.",
        "Yes, agreed.",
        "Absolutely, we are on the same page.",
        "Exactly, great minds think alike.",
        "Indeed, I could not agree more.",
        "Perfect, agreed then.",
    ],
    "offers": [
        "Sure, thanks! Is there anything else I can help you with?",
        "No, thank you! Is there anything you need from me?",
        "No, I'm fine, thanks. Do let me know if you need anything!",
        "Will do! Let me know if you need anything else, too.",
    ],
    "German": ["Vielen Dank für deine Hilfe!", "Gern geschehen!"],
    "one text": ["I will send you the report about the harbour tomorrow."],
}

# Two colleagues at work: with thanks, agreement, questions, short answers, corrections and numbers.
WORK = """
We need a poster for the jazz festival on 12 June. Can you design it?
Yes, gladly. What size should it be, and is there a photograph of the band?
A2, portrait. There is one by Miller, but I am not sure we may use it.
Could you ask him?
I wrote to him this morning.
Good. Until then I will draw two drafts: one with type only, one with a drawn saxophone.
Thanks! When can I see them?
Wednesday.
Great. Please keep the sponsor's logo small.
Which sponsor is it, the brewery or the bank?
The brewery.
Noted. Do you have its logo as a vector file?
Not yet. I asked their marketing department for an SVG.
Miller answered: we may use the photograph for print, but not online.
Then the website needs the drawing.
Agreed. I will prepare it at 1200 by 630 pixels.
Here are both drafts. The first sets the title in Futura, the second in Bodoni.
I like the second. The date is hard to read, though.
True. I moved it to the top and made it 20 percent larger.
Better! What about the red?
The red is from the brewery's logo; I can take a darker one.
Yes, please.
Done: the red is now 9B1C1C, and the contrast is above 7.
Perfect. The printer wants 3 mm of bleed on each side.
Added. Which paper do they print on?
150 grams, uncoated.
Then I had better lighten the photograph, for uncoated paper swallows shadows.
Good point. How much does that delay us?
Half a day.
Fine. The printer closes on Friday at noon.
I can upload the PDF on Thursday evening.
Thank you! I will tell the printer.
The upload failed: their server refuses files above 50 MB.
Can you flatten the layers?
Yes, now it has 31 MB, and it went through.
The proof has come. There is a typing error: it says Jully.
Sorry! Corrected to July... wait, the festival is in June.
Right, June. Good that we looked again.
The corrected proof is approved, 400 copies are ordered.
Wonderful, thank you for the quick work!
""".strip().splitlines()


def verdicts(texts):
    """Return what the guard says of two agents who say these texts in turn."""
    guard, now = Courtesy(), datetime.now(UTC)
    pair = ("ann", "bob")
    return [
        guard.hear(Message(n, f"m-{n}", text, pair[n % 2], pair[1 - n % 2], None, now)) for n, text in enumerate(texts)
    ]


def says(receiver_id, texts):
    """Return a policy that answers every turn with the next of these texts, again and again."""
    count = iter(range(10**9))

    def policy(request):
        if request["input"][-1].get("role") != "user":
            return "(sent)"
        return call("send_message", chat_id=receiver_id, message=texts[next(count) % len(texts)])

    return policy


def looping(scripted, texts, **settings):
    """Return a service of two agents who say these texts to each other without end."""
    ann, bob = texts[::2], texts[1::2] or texts
    intercom = scripted({"Ann": says("bob", ann), "Bob": says("ann", bob)}, **settings)
    intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
    intercom.add_person("You")
    return intercom


def told(intercom, agent_id):
    """Return the remarks of the guard that an agent has read."""
    turns = [read_turn(i["content"]) for i in intercom[agent_id].conversation if i.get("role") == "user"]
    return [text for turn in turns for text in turn.plain if "added nothing new" in text]


def kept(intercom):
    """Return how many deliveries are pending in the log."""
    return intercom._store.rows("SELECT COUNT(*) FROM deliveries WHERE until_seq IS NULL")[0][0]


# -- what is stopped, and what is not --


@pytest.mark.parametrize("kind", LOOPS)
def test_an_endless_loop_ends_within_six_messages(scripted, kind):
    """Both are told after the third and held after the fifth; wait() and status say so; nothing is lost."""
    intercom = looping(scripted, LOOPS[kind], limits=Limits(runs=100))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "courtesy"
    said = [message for message in intercom.messages if message.sender_id is not None]
    assert len(said) <= 6
    assert "ann and bob said too little new" in intercom.status
    assert (len(told(intercom, "ann")), len(told(intercom, "bob"))) == (1, 1)
    assert kept(intercom) == 1
    events = intercom._store.rows("SELECT text FROM events WHERE kind = 'courtesy' ORDER BY seq")
    assert "they are told" in "".join(text for (text,) in events)
    assert "waits for a person" in events[-1][0]


def test_a_loop_in_a_language_without_a_list_ends_one_message_later():
    """There, only what is said a second time is known to add nothing."""
    found = verdicts(["Dziękuję bardzo!", "Nie ma za co!"] * 5)

    assert [verdict.hold for verdict in found].index(True) == 6


def test_a_loop_without_a_new_word_ends_too():
    """Questions and answers that turn in a circle say nothing new, whatever their order."""
    words = ["red", "blue", "green", "small", "large", "round"]
    texts = [f"Make it {words[n % 6]} and {words[(n * 5 + 1) % 6]} {'!' * n}" for n in range(40)]
    found = verdicts(texts)

    assert any(verdict.hold for verdict in found[:20])


def test_a_working_conversation_is_left_alone():
    """Forty messages with thanks, short answers and agreement: nobody is told anything, nothing is held."""
    found = verdicts(WORK)

    assert len(WORK) == 40
    assert [text for text, verdict in zip(WORK, found, strict=True) if verdict.tell or verdict.hold] == []
    assert max(verdict.n for verdict in found) <= 1


@pytest.mark.parametrize("demo", [1, 2])
def test_the_demos_are_left_alone(demo):
    """Not one event of the guard in either."""
    with InterComService("demo", model=OfflineAssistant(), logs=None) as intercom:
        agents = cast(demo)
        intercom.add(*agents)
        agents[0].begin()

        assert intercom.wait(60) == "quiet"
        assert intercom._store.rows("SELECT text FROM events WHERE kind = 'courtesy'") == []


@pytest.mark.parametrize(
    "texts",
    [
        ["Page 7 is done, please check it.", "Page 7 is fine.", "Page 8 is done, please check it.", "Page 8 is fine."]
        * 1,
        [text for n in range(30) for text in (f"Batch {n} is ready.", f"Batch {n} was shipped.")],
        [
            "Shall we print it?",
            "Yes.",
            "Does the sponsor pay?",
            "No.",
            "May I tell him?",
            "Of course.",
            "Today?",
            "Yes.",
        ],
        ["Thank you!", "You're welcome!"],
    ],
)
def test_progress_in_few_words_is_left_alone(texts):
    """Numbers make a difference, an answer may be short, and one thanks for one favour is polite."""
    assert [verdict for verdict in verdicts(texts) if verdict.tell or verdict.hold] == []


def test_a_group_may_agree_one_after_the_other(scripted):
    """Each of five members says yes once; that is no loop. All over again it is one."""
    intercom = scripted()
    intercom.add(*(Agent(f"A{n}") for n in range(5)))
    chat = intercom.create_chat([f"a{n}" for n in range(5)], "Plan", "", "a0", "The concert begins at noon.")
    for n in range(5):
        chat_message = intercom.send_message("Agreed!", chat.id, f"a{n}")
    first = kept(intercom)
    waiting = intercom._engine.router.waits(chat_message)
    for n in range(5):
        chat_message = intercom.send_message("Great, thanks!", chat.id, f"a{n}")

    assert not waiting
    assert first == 6 * 4
    assert intercom._engine.router.waits(chat_message)
    assert intercom.release(chat.id) == 1


def test_one_new_thing_starts_the_count_again():
    """Four empty messages, then news, then four more: nothing is held."""
    empty = ["Thank you!", "You're welcome!"] * 2
    found = verdicts([*empty, "By the way, the harbour is closed on Sunday.", *empty])

    assert not any(verdict.hold for verdict in found)


# -- who waits for a person --


def test_the_others_go_on(scripted):
    """Ann still hears Cid, and whoever is held hears about it from the tool."""
    intercom = looping(scripted, LOOPS["thanks"])
    intercom.start()
    intercom["ann"].begin()
    intercom.wait(60)
    intercom.assistant.enqueue("Cid", call("send_message", chat_id="you", message="The hall is free."), "Done.")
    intercom["cid"].begin()

    assert intercom.wait(60) == "courtesy"
    assert [message.text for message in intercom.people["you"].inbox] == ["The hall is free."]
    outputs = [i["output"] for agent in ("ann", "bob") for i in intercom[agent].conversation if "output" in i]
    assert sum(output.startswith("kept for") for output in outputs) == 1


@pytest.mark.parametrize("how", ["release pair", "release one", "release all", "person", "program"])
def test_a_person_lets_it_go_on(scripted, how):
    """release(), or a word to one of them: what waited is read, in order, and the count begins anew."""
    intercom = looping(scripted, LOOPS["thanks"])
    intercom.start()
    intercom["ann"].begin()
    intercom.wait(60)
    before = len(intercom.messages)
    released = {
        "release pair": lambda: intercom.release("ann", "Bob"),
        "release one": lambda: intercom.release("ann"),
        "release all": intercom.release,
        "person": lambda: intercom.people["you"].send_message("Talk about the harbour.", "bob"),
        "program": intercom["bob"].begin,
    }[how]()

    assert released is not None
    assert intercom.wait(60) == "courtesy"
    assert len(intercom.messages) > before + 2
    assert intercom._store.rows("SELECT COUNT(*), COUNT(until_seq) FROM holds") == [(2, 1)]


def test_release_of_somebody_else_releases_nothing(scripted):
    """Only the pair that was named."""
    intercom = looping(scripted, LOOPS["thanks"])
    intercom.start()
    intercom["ann"].begin()
    intercom.wait(60)

    assert intercom.release("cid", "ann") == 0
    assert intercom.wait(60) == "courtesy"


def test_it_can_be_turned_off(scripted):
    """The loop runs into the limit of runs."""
    intercom = looping(scripted, LOOPS["thanks"], courtesy=False, limits=Limits(runs=30))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "runs"
    assert intercom._store.rows("SELECT COUNT(*) FROM events WHERE kind = 'courtesy'") == [(0,)]


# -- after a crash --


def opened(log, **settings):
    """Open a log of a loop, whose agents go on with it."""
    model = ScriptedAssistant({"Ann": says("bob", ["Thank you!"]), "Bob": says("ann", ["You're welcome!"])})
    return InterComService.open(log, model=model, **settings)


def test_what_waits_still_waits_after_the_log_was_opened_again(scripted, tmp_path):
    """Held mail is held, its authors are not told twice, and release() delivers it."""
    intercom = looping(scripted, LOOPS["thanks"], logs=tmp_path)
    intercom.start()
    intercom["ann"].begin()
    assert intercom.wait(60) == "courtesy"
    said = len(intercom.messages)
    intercom.stop()

    with opened(intercom.log.path) as again:
        assert again.wait(60) == "courtesy"
        assert len(again.messages) == said
        assert again["bob"].status == again["ann"].status or kept(again) == 1
        assert again.release() == 1
        assert again.wait(60) == "courtesy"
        assert len(again.messages) > said
    with opened(intercom.log.path, options={"courtesy": False}, limits=Limits(runs=40)) as off:
        assert off.wait(60) == "runs"


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_loop_that_is_cut_off_anywhere_ends_as_soon_as_one_that_is_not(scripted, tmp_path, cut):
    """The count goes on after a reopening: six messages at most, each told once."""
    intercom = looping(scripted, LOOPS["thanks"], logs=tmp_path, limits=Limits(runs=cut))
    intercom.start()
    intercom["ann"].begin()
    intercom.wait(60)
    intercom.stop()

    with opened(intercom.log.path, limits=Limits()) as again:
        assert again.wait(60) == "courtesy"
        said = [message for message in again.messages if message.sender_id is not None]
        assert len(said) == 5
        assert (len(told(again, "ann")), len(told(again, "bob"))) == (1, 1)
