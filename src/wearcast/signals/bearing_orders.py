"""How often the parts of a rolling bearing pass each other, by its geometry."""

import math

from wearcast.signals.errors import InputError


def bearing_orders(
    balls: int, ball_mm: float, pitch_mm: float, angle_deg: float = 0.0
) -> dict[str, float]:
    """Characteristic frequencies in multiples of the shaft's, for a turning inner race.

    BPFO: balls that pass a point of the outer race; BPFI: of the inner race; 2xBSF: a point of a
    ball meets a race, twice in each of its turns. balls: how many. ball_mm, pitch_mm: diameters of
    a ball and of the circle of their centres. angle_deg: contact angle, 0 in a deep groove bearing
    under radial load. Source: Randall and Antoni, Rolling element bearing diagnostics: a tutorial,
    Mech. Syst. Signal Process. 25 (2011).

    >>> {name: round(order, 3) for name, order in bearing_orders(9, 7.94, 39.04).items()}
    {'BPFO': 3.585, 'BPFI': 5.415, '2xBSF': 4.713}

    Raises:
        InputError: no ball, or diameters that no bearing has.
    """
    if balls < 1:
        raise InputError("bearing: balls", "1 or more", balls)
    if not 0 < ball_mm < pitch_mm < math.inf:
        got = f"{ball_mm:g} and {pitch_mm:g} mm"
        raise InputError("bearing: diameters", "a ball smaller than the pitch circle", got)
    ratio = ball_mm / pitch_mm * math.cos(math.radians(angle_deg))
    return {
        "BPFO": balls / 2 * (1 - ratio),
        "BPFI": balls / 2 * (1 + ratio),
        "2xBSF": pitch_mm / ball_mm * (1 - ratio**2),
    }
