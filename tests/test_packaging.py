"""What is built and shipped: wheel, sdist, completions, the files that other tools read."""

import json
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


@pytest.fixture(scope="module")
def image(built, tmp_path_factory):
    """An environment in which the command of the Dockerfile has run beside the files that it copies, and nothing else.

    There is no Docker here: its base is taken for an environment of this Python.
    """
    folder = tmp_path_factory.mktemp("image")
    venv.create(folder / "env", with_pip=True)
    (folder / "src").mkdir()
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    for name in [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]:
        source = built[0].parent / "source" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / "src" / name)
    command = next(line for line in lines if line.startswith("RUN")).removeprefix("RUN ")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = f"{folder / 'env' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command.replace("/src", f"{folder}/src"), shell=True, check=True, stdout=-3, env=environment)
    assert not (folder / "src").exists()
    return environment


@pytest.mark.slow
def test_what_the_image_installs_runs_and_exports_to_tensorboard(image, tmp_path):
    def bncli(*arguments):
        done = subprocess.run(
            ["bncli", *arguments], env=image, cwd=tmp_path, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert bncli("--version") == f"bncli {PROJECT['version']}\n"
    bncli("compare", "-d", "moons", "-m", "dense4", "-e", "2", "--seeds", "2", "-o", "s", "-q")
    bncli("export", "s", "tensorboard", "--out", "logs")
    assert list((tmp_path / "logs").rglob("events.out.*"))


@pytest.mark.slow
def test_the_steps_for_continuous_integration_run(built, image, tmp_path):
    yaml = pytest.importorskip("yaml")
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (tmp_path / "small.toml").write_text(
        'arms = ["none", "batch"]\nseeds = 2\n[run]\ndataset = "moons"\nmodel = "dense4"\nepochs = 2\n[[claims]]\n'
        'id = "any"\nstatement = "It is a score."\nmeasure = "final"\narm = "batch"\nat_least = 0\nmin_seeds = 2\n'
    )
    environment = image | {"GITHUB_ACTION_PATH": str(built[0].parent / "source")}
    given = {"inputs.presets": "small.toml", "inputs.folder": action["inputs"]["folder"]["default"]}
    for step in [step for step in action["runs"]["steps"] if "run" in step]:
        own = {name: given[value.strip("${} ")] for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            [step["shell"], "-e", "-c", step["run"]],
            env=environment | own,
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout == "All claims hold.\n"
    verdicts = action["outputs"]["verdicts"]["value"].replace("${{ inputs.folder }}", given["inputs.folder"])
    found = json.loads((tmp_path / verdicts).read_text())
    assert [(each["id"], each["n"], each["verdict"]) for each in found] == [("any", 2, "inconclusive")]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("uvx") is None, reason="needs uv")
def test_uvx_runs_the_wheel(built, tmp_path):
    command = ["uvx", "--from", str(built[0]), "bncli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout == f"bncli {PROJECT['version']}\n"
