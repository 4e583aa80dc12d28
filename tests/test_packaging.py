"""The wheel: what is in it, and what it needs and weighs once it is installed without extras."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "wearcast"
# What importing the client may load beside the standard library; the last two come with grpc.
CLIENT_NEEDS = {
    "google",
    "grpc",
    "msgspec",
    "numpy",
    "wearcast",
    "cython_runtime",
    "typing_extensions",
}


def run(*command: object, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )


def build(out: Path) -> None:
    """Source archive and, out of that, the wheel."""
    done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build(out)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and what it pulls in; nothing of ours is on its path."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    done = run(python, "-m", "pip", "install", "--no-input", "-c", constraints, wheel, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def list_package_files() -> set[str]:
    """Files of the import package as the wheel should name them, links followed."""
    names = set()
    for folder, _, files in os.walk(PACKAGE, followlinks=True):
        if Path(folder).name != "__pycache__":
            names |= {str((Path(folder) / name).relative_to(PACKAGE.parent)) for name in files}
    return names


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == list_package_files()
    assert {
        "wearcast/py.typed",
        "wearcast/clients/cli/main.py",
        "wearcast/v1/estimate.proto",
        "wearcast/v1/estimate_pb2.py",
        "wearcast/v1/estimate_pb2.pyi",
    } <= names
    assert not [name for name in names if "test" in Path(name).name or name.endswith(".csv")]


def test_the_wheel_says_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/LICENSE"))
        assert archive.read(name) == (ROOT / "LICENSE").read_bytes()


def test_the_client_needs_little(installed: Path) -> None:
    code = (
        "import sys; before = set(sys.modules); import wearcast.clients;"
        " print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    done = run(installed / "bin" / "python", "-c", code, cwd=installed)
    assert done.returncode == 0, done.stderr
    loaded = {
        name for name in done.stdout.split()
        if name not in sys.stdlib_module_names and not name.startswith("_")
    }  # fmt: skip
    assert "grpc" in loaded
    assert loaded <= CLIENT_NEEDS


def test_it_adds_under_60_mb_beside_numpy(installed: Path) -> None:
    (packages,) = (installed / "lib").glob("python*/site-packages")
    given = ("numpy", "pip", "setuptools")  # the last two come with the environment itself
    size = sum(
        path.stat().st_size
        for path in packages.rglob("*")
        if path.is_file() and not path.relative_to(packages).parts[0].startswith(given)
    )
    assert 1e6 < size < 60e6


def test_the_program_runs(installed: Path) -> None:
    done = run(installed / "bin" / "wearcast", "--help", cwd=installed)
    assert done.returncode == 0, done.stderr
    assert "wearcast predict" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["serve"], "serve"),
        (["demo", "--life-s", "50"], "serve"),
        (["export", "x.pth"], "train"),
        (["clean", "x.csv", "--out", "y.csv"], "files"),
    ],
    ids=["serve", "demo", "export", "clean"],
)
def test_a_verb_names_the_extra_that_it_lacks(
    installed: Path, arguments: list[str], extra: str
) -> None:
    (installed / "x.pth").touch()
    (installed / "x.csv").write_text("time,flow\n2020-01-01 00:00:00,1\n2020-01-01 00:01:00,2\n")
    if arguments[0] == "export":
        arguments = [*arguments, "--name", "x", "--out", "models"]
    done = run(installed / "bin" / "wearcast", *arguments, cwd=installed)
    assert done.returncode == 2, done.stderr
    assert f"pip install 'wearcast[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
