"""What can go wrong, and who must act.

    WearcastError
    +-- InputError           the data is bad: mend the data
    +-- MismatchError        the data does not fit the model: pick another model or recording
    +-- ArtefactError        a checkpoint or model folder is damaged or foreign: make it anew
    +-- NotFoundError        nothing of that name here
    +-- BusyError            too much at once: try again later
    +-- DeadlineError        the answer was not there in time: wait longer or ask for less
    +-- UnreachableError     no server there: start it or mend the address
    +-- AccessError          the server does not let this client: get a token with the role
    +-- StoreError           the store can't be read or written now: make room, or mend the disk
    +-- ReplacedError        another stream follows the same asset now: let it, or stop it

Each carries the gRPC status it becomes on the wire and the exit code of the command line.
"""


class WearcastError(Exception):
    """Base of all errors that wearcast raises on purpose."""

    status = "INTERNAL"
    exit_code = 1
    reason = "INTERNAL"


class FieldError(WearcastError):
    """A field is not what it should be; the message names field, expected and got."""

    def __init__(
        self, field: str, expected: object, got: object, *, reason: str = "", status: str = ""
    ) -> None:
        super().__init__(f"{field}: expected {expected}, got {got}")
        self.field = field
        self.expected = str(expected)
        self.got = str(got)
        self.reason = reason or type(self).reason
        self.status = status or type(self).status


class InputError(FieldError):
    """The data is bad."""

    status = "INVALID_ARGUMENT"
    exit_code = 3
    reason = "BAD_INPUT"


class MismatchError(FieldError):
    """The data does not fit the model's contract."""

    status = "FAILED_PRECONDITION"
    exit_code = 5
    reason = "MISMATCH"


class ArtefactError(FieldError):
    """A checkpoint or a model folder is damaged, incomplete or foreign."""

    status = "FAILED_PRECONDITION"
    exit_code = 5
    reason = "BAD_ARTEFACT"


class NotFoundError(FieldError):
    """Nothing of that name is here."""

    status = "NOT_FOUND"
    exit_code = 5
    reason = "NOT_FOUND"


class BusyError(WearcastError):
    """More work waits than may wait; try again later.

    retry_s: when there is likely room again, in seconds; None: not known.
    """

    status = "RESOURCE_EXHAUSTED"
    exit_code = 4
    reason = "BUSY"

    def __init__(self, text: str, *, retry_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_s = retry_s


class DeadlineError(WearcastError):
    """The answer was not there by the time that the caller wanted it."""

    status = "DEADLINE_EXCEEDED"
    exit_code = 4
    reason = "DEADLINE"

    def __init__(self) -> None:
        super().__init__("the answer was not there by the call's deadline")


class UnreachableError(WearcastError):
    """No server answers at the address."""

    status = "UNAVAILABLE"
    exit_code = 4
    reason = "UNREACHABLE"


class AccessError(FieldError):
    """The call has no token that the server knows, or its token has not the role."""

    status = "UNAUTHENTICATED"
    exit_code = 7
    reason = "TOKEN"


class StoreError(WearcastError):
    """The store can't be read or written now."""

    status = "UNAVAILABLE"
    reason = "STORE"


class ReplacedError(WearcastError):
    """Another stream follows the same asset now; to connect again by oneself would replace it."""

    status = "ABORTED"
    exit_code = 6
    reason = "REPLACED"
