"""Encoder and head are served only if together they are the whole graph."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tiny import mean_abs_fraction, tiny_contract, write_sums, write_tiny_model
from tiny_halves import add_halves

from wearcast.serving.folder import read_folder
from wearcast.serving.session import Session, open_session
from wearcast.signals.errors import ArtefactError

HALVES = ["encoder-1.onnx", "encoder-4.onnx", "head-1.onnx", "head-4.onnx"]


@pytest.fixture
def folder(tmp_path):
    return write_tiny_model(tmp_path)


def test_a_folder_without_halves_has_none(folder):
    assert open_session(folder).open_halves() is None


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    models_dir = tmp_path_factory.mktemp("halves")
    return open_session(add_halves(write_tiny_model(models_dir), features=(5, 5)))


@settings(max_examples=25)
@given(
    sizes=arrays(np.float32, (4, 3, 2, 1), elements=st.floats(-2, 2, width=32)),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_composition_is_the_whole(session, sizes, seed):
    noise = np.random.RandomState(seed).standard_normal((4, 3, 2, 64))
    windows = (sizes * noise).astype(np.float32)
    halves = session.open_halves()
    encoded = np.concatenate([halves.encode(part) for part in windows.reshape(3, 4, 2, 64)])
    assert encoded.shape == (12, halves.features) == (12, 5)
    (fractions,) = halves.answer(encoded.reshape(4, 3, 5))
    whole = session.run(windows)["life_fraction"]
    np.testing.assert_allclose(fractions, whole, rtol=0, atol=1e-5)
    np.testing.assert_allclose(fractions, mean_abs_fraction(windows), rtol=0, atol=1e-5)


def test_an_answer_that_is_hardly_off_is_taken(folder):
    assert open_session(add_halves(folder, factor=1 + 1e-6)).open_halves()


@pytest.mark.parametrize("factor", [1.0001, float("nan")])
def test_halves_that_do_not_compose_are_refused(folder, factor):
    # Within the tolerance of the golden outputs, but not within that of exact reuse.
    text = (
        r"tiny/1/encoder-1\.onnx and head-1\.onnx: expected life_fraction within 1e-05 of the "
        r"whole graph's, got (\S+) off"
    )
    with pytest.raises(ArtefactError, match=text) as raised:
        open_session(add_halves(folder, factor=factor))
    assert raised.value.reason == "HALVES"


@pytest.mark.parametrize("name", HALVES)
def test_a_missing_half_is_refused(folder, name):
    add_halves(folder)
    (folder / name).unlink()
    write_sums(folder)
    stem, size = name.removesuffix(".onnx").split("-")
    text = rf"{stem}-N\.onnx: expected \[1, 4\], got \[{5 - int(size)}\]"
    with pytest.raises(ArtefactError, match=text):
        open_session(folder)


@pytest.mark.parametrize("stem", ["encoder", "head"])
def test_half_a_pair_is_refused(folder, stem):
    add_halves(folder)
    for path in folder.glob(f"{stem}-*.onnx"):
        path.unlink()
    write_sums(folder)
    with pytest.raises(ArtefactError, match=rf"{stem}-N\.onnx: expected \[1, 4\], got \[\]"):
        open_session(folder)


@pytest.mark.parametrize("name", HALVES)
def test_a_half_that_is_not_listed_or_altered_is_refused(folder, name):
    add_halves(folder)
    sums = (folder / "SHA256SUMS").read_text().splitlines(keepends=True)
    (folder / "SHA256SUMS").write_text("".join(line for line in sums if name not in line))
    with pytest.raises(ArtefactError, match=f"every graph listed, got not {name}"):
        open_session(folder)
    (folder / "SHA256SUMS").write_text("".join(sums))
    (folder / name).write_bytes((folder / name).read_bytes() + b"\0")
    with pytest.raises(ArtefactError, match=rf"{name}: expected SHA-256 \w+, got"):
        open_session(folder)


@pytest.mark.parametrize("name", HALVES)
def test_a_half_that_is_no_graph_is_refused(folder, name):
    add_halves(folder)
    (folder / name).write_bytes(b"not a graph")
    write_sums(folder)
    with pytest.raises(ArtefactError, match=f"{name}: expected an ONNX graph"):
        open_session(folder)


def test_halves_of_another_model_are_refused(folder):
    add_halves(folder, stated=tiny_contract("other").to_json())
    text = r"encoder-1\.onnx contract: expected that of the whole graph, got another or none"
    with pytest.raises(ArtefactError, match=text):
        open_session(folder)


@pytest.mark.parametrize(
    ("changes", "features", "text"),
    [
        ({}, (2, 3), r"head-1\.onnx inputs: expected .*\[1, 3, 2\].*, got .*\[1, 3, 3\]"),
        ({"window": 32}, (1, 1), r"encoder-1\.onnx inputs: expected .*64\].*, got .*32\]"),
        ({"sequence": 4}, (1, 1), r"head-1\.onnx inputs: expected .*\[1, 3, 1\].*, got .*\[1, 4,"),
    ],
)
def test_halves_that_do_not_fit_each_other_or_the_contract_are_refused(
    folder, changes, features, text
):
    other = msgspec.structs.replace(tiny_contract(), **changes)
    add_halves(folder, other, features=features, stated=tiny_contract().to_json())
    with pytest.raises(ArtefactError, match=text):
        open_session(folder)


def test_where_windows_may_be_partial_there_are_no_halves(tmp_path):
    contract = msgspec.structs.replace(tiny_contract(), missing=True, partial=True)
    folder = add_halves(write_tiny_model(tmp_path, contract), contract)
    with pytest.raises(ArtefactError, match="expected none where windows may be partial"):
        Session(read_folder(folder)).open_halves()
