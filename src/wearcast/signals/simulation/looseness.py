"""A rotor whose bearing has come loose in its seat, in one direction."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LooseSeat:
    """A gap between two sides of different stiffness.

    A rotor that moves in such a gap hits its sides, which gives harmonics of the shaft rate; if it
    hits at only each second turn, multiples of half the rate too; and where its path is unstable,
    noise. Sources: Ehrich, High order subharmonic response of high speed rotors in bearing
    clearance, J. Vib. Acoust. 110 (1988), for the stiffness by sides; Goldman and Muszynska,
    Dynamic effects in mechanical structures with gaps and impacting: order and chaos, J. Vib.
    Acoust. 116 (1994), for the gap.
    """

    gap_m: float
    """Way from one side to the other, in metres."""
    pull_ms2: float
    """Steady force to the first side, by the rotor's mass, in m/s2."""
    near_hz: float
    """Natural frequency of the rotor on the first side."""
    far_hz: float
    """Natural frequency on the other side."""
    damping: float
    """Damping ratio of both contacts."""


def transmit_force(
    seat: LooseSeat, force_ms2: NDArray[np.float64], step_s: float
) -> NDArray[np.float64]:
    """The force that arrives at the housing, float64 (samples,) in m/s2, by the rotor's mass.

    force_ms2: the force on the rotor, by its mass, at each step of `step_s` seconds. The steps are
    semi-implicit Euler: stable where 2 pi x frequency x step_s is well under 2.
    """
    near, far = ((2 * math.pi * hertz) ** 2 for hertz in (seat.near_hz, seat.far_hz))
    near_damping, far_damping = (
        2 * seat.damping * 2 * math.pi * hertz for hertz in (seat.near_hz, seat.far_hz)
    )
    # It starts where it rests.
    place_m, speed_ms, gap_m = -seat.pull_ms2 / near, 0.0, seat.gap_m
    transmitted = []
    # Plain numbers, as each step needs the one before.
    for force in (force_ms2 - seat.pull_ms2).tolist():
        if place_m < 0:
            contact = near * place_m + near_damping * speed_ms
        elif place_m > gap_m:
            contact = far * (place_m - gap_m) + far_damping * speed_ms
        else:
            contact = 0.0
        speed_ms += (force - contact) * step_s
        place_m += speed_ms * step_s
        transmitted.append(contact)
    return np.array(transmitted, dtype=np.float64)
