"""A small world for hostile calls: a working folder with data and finished studies, a home, and what is no one's."""

import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

import matplotlib.font_manager  # noqa: F401  # its cache of fonts is not to be made in the world
from fakes import complete, diverged, failed

from bncli.claims.claim import parse_claims
from bncli.claims.judgement import Verdict
from bncli.registry import Registry
from bncli.report import figure
from bncli.report.verdict_file import store_verdicts
from bncli.study.files import load_study
from fuzz import budget, oracle

STUDY = """question = "Does BN help?"
source = "nowhere"
seeds = 2
arms = ["none", "batch:before"]

[run]
dataset = "circles"
n_samples = 64
model = "dense4"
epochs = 3

[axes]
lr = [0.01, 0.1]

[[claims]]
id = "better"
statement = "BN is better"
published = "0.9"
published_value = 0.9
measure = "final"
arm = "batch:before"
where = { lr = 0.1 }
baseline = "none"
expect = "above"

[[claims]]
id = "checked"
statement = "BN normalizes"
check = "frozen"
"""

FOLDER = "studies/mine"
"""The finished study, where `sweep -p mine.toml` puts it."""

CSV = b"a,b,label\n" + b"".join(b"%d,%d.5,%s\n" % (i, i % 3, b"xy"[i % 2 : i % 2 + 1]) for i in range(16))


def trainer(configs, engine, on_epoch, on_model, probe):
    """An engine that answers at once; of the seeds 5 and 6, one fails and one diverges."""
    for config in configs:
        make = {5: failed, 6: diverged}.get(config.seed, answered)
        if on_epoch:
            on_epoch([config], 1)
        yield [make(config)]


def answered(config):
    """A run whose accuracy rises to a value that depends on seed and arm."""
    reach = 0.6 + 0.2 * (config.norm != "none") + 0.02 * (config.seed % 7)
    steps = range(1, min(config.epochs, 50) + 1)
    return complete(config, tuple(reach * step / (step + 1) for step in steps), params=100 + config.seed % 5)


ALL_FIGURES = figure.REGISTRY


@contextmanager
def only_figures(*names):
    """Reports in the block have no other figures, which take most of a report's time."""
    before, figure.REGISTRY = figure.REGISTRY, Registry("figure")
    for name in names:
        figure.REGISTRY.register(name)(ALL_FIGURES[name])
    try:
        yield
    finally:
        figure.REGISTRY = before


class World:
    """Folders below `root`: `here` (the working folder), `home`, `tmp` and `elsewhere`.

    Args:
        root: An empty folder.
    """

    PARTS = ("here", "home", "tmp", "elsewhere")

    def __init__(self, root):
        self.root, self.template = Path(root) / "world", Path(root) / "template"
        self.here = self.root / "here"
        for part in self.PARTS:
            (self.template / part).mkdir(parents=True)
        (self.template / "elsewhere" / "mine.txt").write_text("mine\n")
        (self.template / "home" / ".profile").write_text("mine\n")
        (self.template / "here" / "mine.txt").write_text("mine\n")
        (self.template / "here" / "table.csv").write_bytes(CSV)
        (self.template / "here" / "mine.toml").write_text(STUDY)
        self._restore()
        self._finish_studies()
        self.pristine = oracle.seen(self.root)

    def _finish_studies(self):
        """Train the studies, with one figure, and make them part of the template."""
        with self._entered(), only_figures("curves"):
            commands = (
                "sweep -p mine.toml",
                "sweep -p mine.toml --shard 1/2 --seeds 7",
                f"report {FOLDER} --metric val_loss",
                "train -d circles --set n_samples=64 -m dense4 -e 3 --arm batch:after --seeds 2 -o studies/one",
            )
            for command in commands:
                ended = oracle.run_here(command.split(), trainer, limit=300)
                assert (ended.status, ended.raised) in ((0, None), (1, None)), ended
            claims = parse_claims(load_study("mine.toml"))
            store_verdicts(Path(FOLDER), [Verdict(claims[1], "exact", 1, 1.0, 1.0, 1.0, "as it should be", "nothing")])
        shutil.rmtree(self.template)
        shutil.copytree(self.root, self.template, symlinks=True)

    def _restore(self):
        if self.root.exists():
            for folder, _, _ in os.walk(self.root):
                os.chmod(folder, 0o755)
            shutil.rmtree(self.root)
        shutil.copytree(self.template, self.root, symlinks=True)

    @contextmanager
    def _entered(self, **variables):
        """Be in the working folder, with the home and the temporary folder of this world."""
        before, cwd = dict(os.environ), os.getcwd()
        own = {"HOME": "home", "TMPDIR": "tmp", "KERAS_HOME": "home/keras"}
        os.environ.update({name: str(self.root / part) for name, part in own.items()} | variables)
        os.environ.pop("BNCLI_DATA_DIR", None)
        os.chdir(self.here)
        try:
            yield
        finally:
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(before)

    @contextmanager
    def visit(self, **variables):
        """Yield the working folder as it was at first; what happens to it is undone at the end."""
        try:
            with self._entered(**variables):
                yield self.here
        finally:
            if oracle.seen(self.root) != self.pristine:
                self._restore()

    def run(self, kind, call, trainer=trainer):
        """Run a call in this process, count it under its kind, and check how it ended."""
        self._checked(kind, call, lambda: oracle.run_here(call.words, trainer, terminal=call.terminal), oracle.STATUSES)

    def start(self, kind, call, **options):
        """Run a call as a process of its own, count it under its kind, and check how it ended."""
        statuses = (*oracle.STATUSES, *oracle.SIGNALLED)
        self._checked(kind, call, lambda: oracle.run_process(call.words, **options), statuses)

    def _checked(self, kind, call, run, statuses):
        __tracebackhide__ = True
        before = oracle.seen(self.root)
        with budget.counted(kind) as ending:
            ended = run()
            oracle.check(call, ended, str(self.here), before, oracle.seen(self.root), statuses)
            ending(f"exit {ended.status}")


@contextmanager
def new_world():
    """Yield a world in a folder that everyone may search."""
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, stat.S_IRWXU | stat.S_IXGRP | stat.S_IXOTH | stat.S_IRGRP | stat.S_IROTH)
        yield World(root)
