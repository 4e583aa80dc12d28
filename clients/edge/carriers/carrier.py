"""What carriers do, and how they say that a parcel did not arrive."""

from typing import Protocol

from wearcast.signals.errors import UnreachableError, WearcastError
from wearcast.signals.parcel import Parcel


class RefusedError(WearcastError):
    """The receiver will never take this parcel; what is behind it may still go through."""

    status = "FAILED_PRECONDITION"
    exit_code = 3
    reason = "REFUSED"


class PostponedError(UnreachableError):
    """The receiver says when to try again: not before `after_s` seconds from now."""

    def __init__(self, text: str, after_s: float) -> None:
        super().__init__(text)
        self.after_s = after_s


class Carrier(Protocol):
    """Sends parcels one after the other, from one thread."""

    def send(self, parcel: Parcel) -> None:
        """Send a parcel; returns once the receiver has said that it keeps it.

        Raises:
            UnreachableError: it has not; the same parcel may go through later.
            RefusedError: it will never take this parcel.
        """

    def close(self) -> None:
        """Hang up, from whichever thread; a parcel that is on its way counts as not arrived."""
