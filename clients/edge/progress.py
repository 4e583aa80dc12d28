"""How far the edge service has come: kept in its store, in the transaction of what was done."""

import secrets

import msgspec


class Progress(msgspec.Struct):
    """Times are microseconds since 1970-01-01 UTC; those of steps are where the step begins.

    store_id: tells this store's parcels from those of another with the same asset. began_us: the
    service's very first start. origin_us: the first step, block 0 of the models.
    next_us: the step that is closed next. answered_us: up to and with this step the models have
    answered. sent_us: ten-minute spans that end by then are sent. amended_us: answers up to and
    with this step have been sent. late_us: steps with a reading that came after they were sent.
    day_us: days that end by then are sent. criteria_us, retrained_us, kept_us: when bounds were
    fitted last, models trained, history purged. rewound: how often a clock was found to have been
    ahead, see `Steps.rewind`.
    """

    began_us: int
    store_id: str = msgspec.field(default_factory=lambda: secrets.token_hex(4))
    origin_us: int | None = None
    next_us: int | None = None
    answered_us: int = -1
    sent_us: int = 0
    amended_us: int = -1
    late_us: list[int] = msgspec.field(default_factory=list)
    day_us: int = 0
    criteria_us: int = 0
    retrained_us: int = 0
    kept_us: int = 0
    rewound: int = 0
