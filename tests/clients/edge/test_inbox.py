"""What the inbox makes of sources that fail."""

import pytest
from driven_edge import Hand
from waiting import LONG_S, wait_until

from wearcast.clients.edge import inbox


def test_source_that_has_failed_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one fault would end a service with a single source."""
    monkeypatch.setattr(inbox, "_PAUSE_S", 60.0)
    hand = Hand()
    box = inbox.Inbox([hand])
    box.start({})
    assert hand.runs.wait(LONG_S)
    hand.fail(ZeroDivisionError("a fault"))
    wait_until(lambda: box.problems)
    assert box.problems == {"hand": "ZeroDivisionError: a fault"}
    box.take(0.0)  # the wake-up
    assert not box.ended
    box.close()
