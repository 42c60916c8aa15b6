"""What several services may spend together, from the threads of all of them."""

import threading

from intercom_nb import Limits, Spent
from intercom_nb.runs.purse import Purse, paid_from, purse_at_hand


class Service:
    """A service, as far as its spending is concerned."""

    def __init__(self, tokens=0):
        self.spent = Spent(tokens=tokens)


def test_what_is_set_aside_is_never_more_than_there_is():
    """Eight services that each take and use what they can: together they use all of it, and nothing above."""
    purse = Purse(Limits(tokens=10_000), Spent(tokens=1_000))

    def spend():
        service, share = Service(tokens=500), purse.share()  # what it had spent before counts nowhere
        while not (refused := share.reserve(service, Spent(tokens=7))):
            if refused == "":
                service.spent.tokens += 7
                share.release(Spent(tokens=7))
        assert share.met == "tokens"

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert 10_000 - 7 < purse.spent.tokens <= 10_000
    assert purse.in_flight == Spent()


def test_a_call_waits_for_room_that_calls_in_flight_may_leave():
    """None while those in flight might need it; then room, or the limit's name, when it is known what they used."""
    purse = Purse(Limits(tokens=100, usd=5.0), Spent())
    one, two, first = purse.share(), purse.share(), Service()

    assert one.reserve(first, Spent(tokens=60, usd=1)) == ""
    assert two.reserve(Service(), Spent(tokens=60)) is None
    first.spent.tokens, first.spent.usd = 30, 4.5
    one.release(Spent(tokens=60, usd=1))
    assert two.reserve(Service(), Spent(tokens=60)) == ""
    assert one.reserve(first, Spent(tokens=1, usd=0.6)) == "usd"
    assert (one.met, two.met) == ("usd", "")


def test_a_service_pays_from_the_purse_at_hand_when_it_is_made():
    """Within the block, and only there."""
    share = Purse(Limits(), Spent()).share()
    with paid_from(share):
        assert purse_at_hand() is share
    assert purse_at_hand() is None
