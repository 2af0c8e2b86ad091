"""What is built and shipped: wheel, sdist, completions, the files that other tools read."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SHELLS = {"bash": "bncli.bash", "zsh": "_bncli", "fish": "bncli.fish"}


@pytest.mark.parametrize(
    ("shell", "name"),
    [pytest.param(*each, marks=[pytest.mark.slow] if each[0] != "bash" else []) for each in SHELLS.items()],
)
def test_completion_files_are_what_the_command_writes(shell, name):
    environment = os.environ | {"_BNCLI_COMPLETE": f"source_{shell}"}
    command = [sys.executable, "-m", "bncli"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    text = (ROOT / "completions" / name).read_text()
    assert "bncli" in text
    assert done.stdout.replace("python -m bncli", "bncli").split() == text.split()


def test_the_citation_has_the_version_and_the_licence():
    lines = (ROOT / "CITATION.cff").read_text().splitlines()
    assert f"version: {PROJECT['version']}" in lines
    assert f"license: {PROJECT['license']}" in lines


def test_the_image_copies_what_there_is_and_installs_pinned_versions():
    """There is no Docker here, so that the image itself is not built."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    sources = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert sources
    assert all((ROOT / source).exists() for source in sources)
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept == set(sources)
    assert any("--constraint /src/constraints.txt" in line for line in lines)
    assert lines[-2:] == ['ENTRYPOINT ["bncli"]', 'CMD ["sweep"]']


def test_the_step_for_continuous_integration_runs_the_gate():
    text = (ROOT / "action.yml").read_text()
    assert '"$GITHUB_ACTION_PATH/examples/gate.sh" "$FOLDER" "${presets[@]}"' in text
    assert os.access(ROOT / "examples" / "gate.sh", os.X_OK)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the sdist of the files that git knows."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", "--local", str(ROOT), str(source)], check=True)
    changed = subprocess.run(
        ["git", "ls-files", "--modified", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in changed.stdout.splitlines():
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    subprocess.run([sys.executable, "-m", "build", "--outdir", str(folder), str(source)], check=True, stdout=-3)
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


@pytest.mark.slow
def test_the_wheel_and_the_sdist_have_what_they_need(built):
    with zipfile.ZipFile(built[0]) as archive, tarfile.open(built[1]) as source:
        wheel, sdist = archive.namelist(), source.getnames()
    data = f"bncli-{PROJECT['version']}.data/data/share"
    assert {
        "bncli/py.typed",
        "bncli/report/templates/report.css",
        "bncli/study/presets/study.schema.json",
        "bncli/study/presets/circles-lr.toml",
        f"{data}/bash-completion/completions/bncli",
        f"{data}/zsh/site-functions/_bncli",
        f"{data}/fish/vendor_completions.d/bncli.fish",
    } <= set(wheel)
    assert not [name for name in wheel if name.startswith(("tests", "docs"))]
    below = {name.partition("/")[2] for name in sdist}
    assert {"tests/fakes.py", "docs/cli.md", "Makefile", "constraints.txt", "CITATION.cff", "LICENSE"} <= below


@pytest.mark.slow
def test_the_wheel_runs_in_a_new_environment_with_nothing_else(built, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    place = tmp_path / "env" / "bin"
    install = [place / "pip", "install", "-q", "--constraint", ROOT / "constraints.txt", built[0]]
    subprocess.run([*map(str, install)], check=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def bncli(*arguments):
        command = [str(place / "bncli"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)

    assert bncli("--version").stdout == f"bncli {PROJECT['version']}\n"
    command = ("compare", "-d", "moons", "-m", "dense4", "-e", "2", "--seeds", "2", "-o", "s", "-q", "--format", "csv")
    done = bncli(*command)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
    assert (tmp_path / "s" / "report.html").stat().st_size > 50_000
    missing = bncli("export", "s", "tensorboard")
    assert missing.returncode == 2
    assert "pip install 'bncli[tensorboard]'" in missing.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("uvx") is None, reason="needs uv")
def test_uvx_runs_the_wheel(built, tmp_path):
    command = ["uvx", "--from", str(built[0]), "bncli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout == f"bncli {PROJECT['version']}\n"
