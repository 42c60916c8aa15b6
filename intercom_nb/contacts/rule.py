"""Who may reach whom: the rule of one service, asked wherever somebody would hear somebody."""

import logging
from collections.abc import Callable, Iterable

from intercom_nb.errors import ChatRuleError
from intercom_nb.members.agent import Agent
from intercom_nb.members.registry import Member

__all__ = ["ContactRule", "MayContact"]

_LOGGER = logging.getLogger(__name__)

MayContact = Callable[[Agent, Member], bool]


class ContactRule:
    """Who may reach whom.

    Parameters
    ----------
    rule : callable, optional
        Whether an agent may reach another member. Without one, everybody may reach everybody; persons always may.
    """

    def __init__(self, rule: MayContact | None = None) -> None:
        self._rule = rule

    @property
    def is_free(self) -> bool:
        """Whether everybody may reach everybody."""
        return self._rule is None

    def allows(self, sender: Member | None, receiver: Member) -> bool:
        """Return whether one member may reach another; a rule that fails forbids."""
        if self._rule is None or not isinstance(sender, Agent):
            return True
        try:
            return bool(self._rule(sender, receiver))
        except Exception:  # somebody else's code must not end the loop all agents share
            _LOGGER.exception("the rule may_contact failed for %s and %s: forbidden", sender.id, receiver.id)
            return False

    def check(self, sender: Member | None, receivers: Iterable[Member], *, where: str = "") -> None:
        """Check that one member may reach others.

        Raises
        ------
        ChatRuleError
            If the rule of the service forbids it.
        """
        for receiver in receivers if self._rule is not None else ():
            if sender is not receiver and sender is not None and not self.allows(sender, receiver):
                msg = (
                    f"{sender.id} may not reach {receiver.id}{where}: the service's rule may_contact forbids it; "
                    f"whom {sender.id} may reach, its chat list says"
                )
                raise ChatRuleError(msg)

    def check_group(self, members: Iterable[Member], newcomers: Iterable[Member]) -> None:
        """Check that newcomers and all members of a group may reach each other there.

        Raises
        ------
        ChatRuleError
            If the rule of the service forbids it.
        """
        if self._rule is None:
            return
        everybody = list(members)
        for newcomer in newcomers:
            for member in everybody:
                self.check(newcomer, [member], where=", so they cannot be in one group")
                self.check(member, [newcomer], where=", so they cannot be in one group")
