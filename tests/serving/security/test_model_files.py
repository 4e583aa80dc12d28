"""Files of models: only those that nobody can change from elsewhere; what errors say of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny import tiny_contract, write_sums, write_tiny_model

import wearcast
from wearcast.serving.models import open_model
from wearcast.serving.security.graphs import check_self_contained
from wearcast.signals.errors import ArtefactError

FILES = ["batch-1.onnx", "golden.json", "SHA256SUMS"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "models")


def refuse(folder: Path) -> str:
    """What the error says, which never is where the folder lies."""
    with pytest.raises(ArtefactError) as raised:
        open_model(folder.parent.parent, "tiny")
    text = str(raised.value)
    for secret in (str(folder.parent.parent), "onnxruntime_src", "Traceback", "::"):
        assert secret not in text
    assert text.startswith(("tiny/1", "golden", "contract"))
    return text


@pytest.mark.parametrize("name", FILES)
def test_hard_link(folder, name, tmp_path):
    os.link(folder / name, tmp_path / "another name")
    expected = f"tiny/1/{name}: expected a file with one name, got one of 2 hard links"
    assert refuse(folder) == expected
    (tmp_path / "another name").unlink()
    assert open_model(tmp_path / "models", "tiny").contract == tiny_contract()


@pytest.mark.parametrize("name", FILES)
def test_symbolic_link(folder, name, tmp_path):
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    assert refuse(folder) == f"tiny/1/{name}: expected a file, got a symbolic link"


@pytest.mark.parametrize("depth", [0, 1])
def test_symbolic_link_to_a_folder(folder, tmp_path, depth):
    moved = folder if depth == 0 else folder.parent
    moved.rename(tmp_path / "elsewhere")
    moved.symlink_to(tmp_path / "elsewhere")
    assert refuse(folder) == "tiny/1: expected a folder, got a symbolic link"


@pytest.mark.usefixtures("folder")
def test_models_dir_may_be_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "models")
    assert open_model(tmp_path / "link", "tiny").contract == tiny_contract()


@pytest.mark.parametrize("name", FILES)
def test_no_regular_file(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert refuse(folder) == f"tiny/1/{name}: expected a file, got something else"
    (folder / name).unlink()
    (folder / name).mkdir()
    assert refuse(folder) == f"tiny/1/{name}: expected a readable file, got Is a directory"


def test_installers_may_link_the_bundled_models(tmp_path):
    """As uv and conda do, to the files of their cache."""
    package = Path(wearcast.__file__).parent
    copy = tmp_path / "site" / "wearcast"
    for part in ("serving", "signals"):
        shutil.copytree(package / part, copy / part)
    shutil.copy(package / "__init__.py", copy)
    shutil.copytree(package / "models", tmp_path / "cache")
    shutil.copytree(tmp_path / "cache", copy / "models", copy_function=os.link)
    program = (
        "from wearcast.serving.models import open_model, BUNDLED; "
        "print(BUNDLED); open_model(None, 'bearing-rul')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
    )
    assert done.stdout.strip() == str(copy / "models")


# --- external data ---


def external(**more: str) -> TensorProto:
    """A tensor of 4 numbers in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in ({"location": "weights.bin", "length": "16"} | more).items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def inline() -> TensorProto:
    return numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")


def in_initializer(model: onnx.ModelProto, tensor: TensorProto) -> None:
    model.graph.initializer.append(tensor)


def in_constant(model: onnx.ModelProto, tensor: TensorProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))


def in_list(model: onnx.ModelProto, tensor: TensorProto) -> None:
    node = model.graph.node.add(op_type="Constant", output=["c"])
    node.attribute.add(name="values", type=onnx.AttributeProto.TENSORS).tensors.append(tensor)


def in_branch(model: onnx.ModelProto, tensor: TensorProto) -> None:
    inner = helper.make_graph([], "inner", [], [], [tensor])
    outer = helper.make_graph(
        [helper.make_node("If", ["x"], ["y"], then_branch=inner)], "outer", [], []
    )
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=outer))


def in_graphs(model: onnx.ModelProto, tensor: TensorProto) -> None:
    node = model.graph.node.add(op_type="Odd")
    node.attribute.add(name="graphs").graphs.add().initializer.append(tensor)


def in_function(model: onnx.ModelProto, tensor: TensorProto) -> None:
    node = helper.make_node("Constant", [], ["c"], value=tensor)
    model.functions.add(name="f", domain="d").node.append(node)


def in_default_of_a_function(model: onnx.ModelProto, tensor: TensorProto) -> None:
    model.functions.add(name="f", domain="d").attribute_proto.add(name="t").t.CopyFrom(tensor)


def in_sparse(model: onnx.ModelProto, tensor: TensorProto) -> None:
    model.graph.sparse_initializer.add(dims=[9]).values.CopyFrom(tensor)


def in_indices(model: onnx.ModelProto, tensor: TensorProto) -> None:
    node = model.graph.node.add(op_type="Constant", output=["c"])
    node.attribute.add(name="sparse_value").sparse_tensor.indices.CopyFrom(tensor)


def in_training(model: onnx.ModelProto, tensor: TensorProto) -> None:
    model.training_info.add().algorithm.initializer.append(tensor)


PLACES = [
    in_initializer, in_constant, in_list, in_branch, in_graphs, in_function,
    in_default_of_a_function, in_sparse, in_indices, in_training,
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_data_in_another_file_is_found_wherever_it_is_named(place):
    unmarked = external()
    unmarked.ClearField("data_location")
    bare = external()
    bare.ClearField("external_data")
    for tensor in (external(), external(location="*/_ORT_MEM_ADDR_/*"), unmarked, bare):
        model = helper.make_model(helper.make_graph([], "g", [], []))
        place(model, tensor)
        # What a graph says twice is merged: the part that hides it may be any.
        for graph in (model.SerializeToString(), model.SerializeToString() * 2):
            with pytest.raises(ArtefactError, match="field: expected all data in the graph, got"):
                check_self_contained("field", graph)
    model = helper.make_model(helper.make_graph([], "g", [], []))
    place(model, inline())
    check_self_contained("field", model.SerializeToString())


def rewrite(folder: Path, change) -> None:
    """Change a graph, and write hashes that fit."""
    path = folder / "batch-4.onnx"
    model = onnx.load_model_from_string(path.read_bytes())
    change(model)
    path.write_bytes(model.SerializeToString())
    write_sums(folder)


def test_a_model_with_data_elsewhere_is_refused_wherever_they_lie(folder, tmp_path):
    for location in ("weights.bin", "../weights.bin", str(tmp_path / "weights.bin")):
        (folder / "weights.bin").write_bytes(bytes(16))
        rewrite(folder, lambda model, at=location: in_initializer(model, external(location=at)))
        assert refuse(folder) == (
            "tiny/1/batch-4.onnx: expected all data in the graph, got external data"
        )


def test_no_other_format_than_onnx(folder):
    """ONNX Runtime would take this for one of its own by the letters, and look no further."""
    (folder / "batch-4.onnx").write_bytes(b"\x0a\x06\x12\x04ORTM")
    write_sums(folder)
    assert "batch-4.onnx: expected an ONNX graph, got" in (text := refuse(folder))
    assert "No graph was found in the protobuf" in text


def set_ir_version(model: onnx.ModelProto) -> None:
    model.ir_version = 99


def set_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


def set_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Nothing"


def set_metadata(model: onnx.ModelProto) -> None:
    del model.metadata_props[:]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (set_ir_version, "Unsupported model IR version: 99"),
        (set_opset, "Opset 99 is under development"),
        (set_operator, "No Op registered for Nothing"),
        (set_metadata, "expected metadata"),
    ],
)
def test_what_is_wrong_with_a_graph_is_told_without_places(folder, change, text):
    rewrite(folder, change)
    assert text in refuse(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "flipped", "unlisted"])
def test_what_is_wrong_with_files_is_told_without_places(folder, name, damage):
    path = folder / name
    if damage == "missing":
        path.unlink()
    elif damage == "flipped":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        sums = folder / "SHA256SUMS"
        lines = [line for line in sums.read_text().splitlines() if name not in line]
        sums.write_text("\n".join(lines if name != "SHA256SUMS" else []))
    assert refuse(folder)


def test_a_contract_of_another_model_is_told_without_places(tmp_path):
    other = msgspec.structs.replace(tiny_contract(), name="other")
    folder = write_tiny_model(tmp_path / "models", stated=other.to_json())
    assert refuse(folder) == "tiny/1 contract: expected tiny/1, got other/1"
