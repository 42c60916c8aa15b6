"""How the offline assistant reads words: what a message is, and what of it says something."""

import pytest

from intercom_nb.models.offline.words import classify, clip, first_person, is_answer, phrase, stems, task_of


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("To sum up, fine?", "summary"),
        ("Summary: all is well.", "summary"),
        ("In summary, yes.", "summary"),
        ("Thank you very much!", "thanks"),
        ("Okay, got it.", "thanks"),
        ("Thanks. Please also send the plan.", "request"),
        ("Hello all, explain networks.", "request"),
        ("Tell me about tea.", "request"),
        ("What a day. Is it over?", "request"),
        ("Could you look at it", "request"),
        ("Design is everything.", "statement"),
        ("I would start small.", "statement"),
        ("", "statement"),
    ],
)
def test_messages_are_classified(text: str, kind: str) -> None:
    """By their openings and question marks."""
    assert classify(text) == kind


def test_answers_are_told_from_questions_back() -> None:
    """A question at the end does not unmake an answer."""
    assert is_answer("Start small with samples. What is the budget?")
    assert not is_answer("Please send me the documents.")
    assert not is_answer("To sum up, tea.")


def test_stems_leave_out_what_says_nothing() -> None:
    """Generic words, denials and numbers are no topic."""
    assert stems("You are an expert who knows everything and helps others with 30 new networks.") == ("network",)
    assert stems("Plan a party. There are no documents. Never mention politics.") == ("parti",)


def test_phrases_are_runs_of_neighbouring_words() -> None:
    """As written, but for a capital at the start of a sentence."""
    assert phrase("Founder of the new AI startup", {"ai", "startup"}) == "AI startup"
    assert phrase("Marketing, and Networks", {"market"}) == "marketing"
    assert phrase("Nothing here", {"market"}) == ""


def test_missions_turn_into_the_first_person() -> None:
    """Capitals kept, objects told from subjects."""
    assert first_person("You are kind; you're mine. Your cat helps you, and you feed it yourself.") == (
        "I am kind; I'm mine. My cat helps me, and I feed it myself."
    )
    assert task_of("Please plan a network.") == "I have to plan a network."
    assert task_of("AI needs power.") == "AI needs power."


def test_long_texts_are_cut_between_words() -> None:
    """And never longer than asked."""
    assert clip("one two three", 9) == "one two …"
    assert clip("x" * 50, 10) == "x" * 8 + " …"
