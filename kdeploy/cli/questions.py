"""How `kdeploy doctor` asks: each question has an end, and so have all of them; an error is an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from kdeploy.cli.run import Session
from kdeploy.clock import Deadline
from kdeploy.doctor.check import Check, bad, not_asked
from kdeploy.errors import InterruptedBySignalError, KdeployError
from kdeploy.text import bug

EACH = 6.0
"""Seconds for one question."""
WHOLE = 40.0
"""Seconds for all of them, from the command's beginning."""

T = TypeVar("T")


class Questions:
    """Asks for one session."""

    def __init__(self, session: Session) -> None:
        self._clock = session.clock
        self._whole = session.within(WHOLE)

    def ask(self, name: str, question: Callable[[Deadline], T]) -> T | Check:
        """What `question` finds by its deadline; the check `name` that failed where it raises, a bug included."""
        try:
            return question(Deadline(self._clock.now, self._whole.remaining(EACH)))
        except InterruptedBySignalError:
            raise
        except KdeployError as error:
            return bad(name, error)
        except TimeoutError:
            return not_asked(name, "no time is left")
        except Exception as error:  # the other questions have answers all the same
            hint = "report this, with kdeploy --version; a deploy may end with the same"
            return Check(name=name, passed=False, message=bug(error), hint=hint)
