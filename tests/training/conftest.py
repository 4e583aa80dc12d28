import pytest
import torch


@pytest.fixture(autouse=True)
def seed() -> None:
    """Else what a test draws would hang on the tests that its process ran before."""
    torch.manual_seed(0)
