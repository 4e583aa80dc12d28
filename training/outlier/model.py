"""The outlier model: raw readings in; value, percentile, stage and cause of each point out."""

import torch
from torch import Tensor, nn

from wearcast.training.outlier.config import OutlierConfig
from wearcast.training.outlier.multivariate import MultivariateDetector
from wearcast.training.outlier.night import NightDetector
from wearcast.training.outlier.predicted import PredictedDetector
from wearcast.training.outlier.system import SystemDetector
from wearcast.training.outlier.table import HOURS, NormalTable, WeekClock
from wearcast.training.outlier.verdict import Percentile, Verdict, find_stage, judge

# NaN is below nothing; what is not a number, infinite or absurd counts as missing.
_ABSURD = 1e30
# Standardised readings stay finite where they are squared.
_CLIP = 1e9


class OutlierModel(nn.Module):
    """All detectors in one graph.

    Each judges the newest row of a window; rows of a batch do not influence each other, and every
    output is finite whatever is missing.
    """

    def __init__(self, config: OutlierConfig) -> None:
        super().__init__()
        self.config = config
        places = HOURS if config.clock else 1
        self.clock = WeekClock(config.sequence, config.step_s)
        self.table = NormalTable(places, config.size)
        self.percentile = Percentile(config.sides)
        self.system = SystemDetector(config.size, config.sequence)
        self.predicted = PredictedDetector(config, places)
        if config.night_slots:
            self.night = NightDetector(config)
        if config.has_multivariate:
            self.multivariate = MultivariateDetector(config.size, config.smoothing)

    def forward(
        self, blocks: Tensor, minute_of_week: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Value, percentile, stage and cause, float32 (B, points) each.

        blocks: float32 (B, sequence, channels, 1), oldest first, NaN where missing.
        minute_of_week: float32 (B,), minutes since Monday, 0:00, at the last row; with a clock
        only.
        """
        if (minute_of_week is not None) != self.config.clock:
            raise ValueError("minute_of_week: expected with a clock, and only then")
        raw = blocks.squeeze(-1)
        known = raw.abs() < _ABSURD
        readings = torch.where(known, raw, torch.zeros_like(raw))
        if minute_of_week is None:
            places = torch.zeros(raw.shape[:2], dtype=torch.long)
        else:
            places = self.clock(minute_of_week)
        mean, sd = self.table.at(places)
        z = ((readings - mean) / sd).clamp(-_CLIP, _CLIP)
        z = torch.where(known, z, torch.zeros_like(z))
        newest_sd = sd if sd.dim() == 1 else sd[:, -1]
        verdicts = [
            self.system(readings, known),
            judge(readings[:, -1], self.percentile(z[:, -1]), known[:, -1]),
            self.predicted(z, known, newest_sd, places[:, -1]),
        ]
        if self.config.night_slots and minute_of_week is not None:
            verdicts.append(self.night(readings, known, minute_of_week))
        together = self.multivariate(z, known) if self.config.has_multivariate else None
        value, percentile, applies, cause = _line_up(verdicts, together)
        return value, percentile, find_stage(percentile, applies), cause


def _line_up(verdicts: list[Verdict], together: Verdict | None) -> Verdict:
    """Verdicts (B, channels) in the order of the points: channel by channel, then all together."""
    parts = []
    for field in range(len(Verdict._fields)):
        apart = torch.stack([verdict[field] for verdict in verdicts], dim=2).flatten(1)
        parts.append(apart if together is None else torch.cat([apart, together[field]], dim=1))
    return Verdict(*parts)
