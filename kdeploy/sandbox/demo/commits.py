"""The four commits of the demo: what each changes, and how its deploy has to end. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kdeploy.model import Outcome, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit: its subject, what shop.py holds then, and the outcome and reason of its deploy.

    `behaviour` is what its image does as a simulated pod (core/behaviour.py).
    """

    subject: str
    shop: str
    behaviour: str
    outcome: Outcome
    reason: Reason

    @property
    def expected(self) -> str:
        """How its deploy has to end, in words: "rolled-back CrashLoop"."""
        return ending(self.outcome, self.reason)


def ending(outcome: str, reason: str) -> str:
    """An outcome, with its reason where it is not good."""
    return outcome if outcome == Outcome.DEPLOYED else f"{outcome} {reason}"


_SHOP = '''\
"""What the shop says."""
{before}

def page() -> str:
    """For customers."""
    return "{page}\\n"


def health() -> tuple[int, str]:
    """For whoever asks whether this version is fit: an HTTP status, and why."""
    return {health}
'''


def _shop(page: str, *, before: str = "", health: str = '200, "fit\\n"') -> str:
    return _SHOP.format(page=page, before=before, health=health)


_READS_A_VARIABLE = """
import os

DATABASE = os.environ["DATABASE_URL"]
"""

_FIT = "start=200ms stop-after=500ms"

COMMITS = (
    Commit(
        subject="Open the shop",
        shop=_shop("Welcome!"),
        behaviour=_FIT,
        outcome=Outcome.DEPLOYED,
        reason=Reason.COMPLETE,
    ),
    Commit(
        subject="Greet people better",
        shop=_shop("Welcome! Everything is half price today."),
        behaviour=_FIT,
        outcome=Outcome.DEPLOYED,
        reason=Reason.COMPLETE,
    ),
    Commit(
        subject="Keep the prices in a database, whose address nobody has set",
        shop=_shop("Welcome! Everything is half price today.", before=_READS_A_VARIABLE),
        behaviour="start=200ms exit=1 log='KeyError: DATABASE_URL'",
        outcome=Outcome.ROLLED_BACK,
        reason=Reason.CRASH_LOOP,
    ),
    Commit(
        subject="Sell from stock, which is never loaded",
        shop=_shop("Welcome! We have something in stock.", health='500, "the stock is not loaded\\n"'),
        behaviour=f"{_FIT} http:/health=500",
        outcome=Outcome.ROLLED_BACK,
        reason=Reason.UNHEALTHY,
    ),
)
"""In the order in which they are deployed."""
