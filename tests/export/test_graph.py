from pathlib import Path

import pytest
import torch
from torch import nn
from torch.onnx._internal.exporter._registration import ONNXRegistry

from wearcast.export import graph
from wearcast.export.graph import write_onnx


def test_a_table_of_operators_that_is_kept_changes_no_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of the first one nor of those behind it; and torch has its own again."""
    own = ONNXRegistry.__dict__["from_torchlib"]
    model = nn.Sequential(nn.LSTM(3, 4, batch_first=True)).eval()
    written = []
    for keeps in (True, True, False):
        if not keeps:
            monkeypatch.setattr(graph, "_read_table", ONNXRegistry.from_torchlib)
        path = tmp_path / "graph.onnx"
        write_onnx(model, (torch.zeros(1, 5, 3),), path, outputs=["y", "h", "c"], metadata={})
        written.append(path.read_bytes())
        assert ONNXRegistry.__dict__["from_torchlib"] is own
    assert written[0] == written[1] == written[2]
