"""Everything that is derived from a study's records: tables, figures and the page, made again without TensorFlow."""

from __future__ import annotations

import functools
import importlib
import io
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bncli import claims, console, page, plots, summary, wording
from bncli.canvas import Picture
from bncli.config import RunConfig
from bncli.errors import BncliError, InvalidConfig, StoreError
from bncli.results import HISTORY_METRICS, RunResult, lower_is_better
from bncli.store import RUNS_FILE, Store
from bncli.study import Condition, Study, condition_id, study_from_dict

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

REPORT_FILE = "report.html"
SUMMARY_FILE, HISTORY_FILE, DIFFERENCES_FILE = TABLE_FILES = ("summary.csv", "history.csv", "differences.csv")

_Made = TypeVar("_Made")


def _once(make: Callable[[Evidence], _Made]) -> Callable[[Evidence], _Made]:
    """Let a table be computed on first use and kept with the evidence."""

    @functools.wraps(make)
    def kept(evidence: Evidence) -> _Made:
        tables = vars(evidence).setdefault("_tables", {})
        if make.__name__ not in tables:
            tables[make.__name__] = make(evidence)
        found: _Made = tables[make.__name__]
        return found

    return kept


@dataclass(frozen=True)
class Evidence:
    """A study with the results that it has so far.

    Attributes:
        study: The study as last asked for.
        results: Its results, in the study's order.
        conditions: The condition of every run.
        n_planned: How many runs the study has in all.
        chance: Accuracy of the best constant answer; None where data sets differ in it.
        metric: What arms are compared by.
        threshold: The value of the metric that counts as reached; None for the best of the baseline's mean curve.
    """

    study: Study
    results: Sequence[RunResult]
    conditions: Mapping[RunConfig, Condition]
    n_planned: int
    chance: float | None = None
    metric: str = summary.METRICS[0]
    threshold: float | None = None

    @property
    def baseline(self) -> str:
        """The arm that the others are compared with."""
        return self.study.arms[0].label

    @property
    def curve_metric(self) -> str:
        """The metric of curves and hit epochs: `train_accuracy` is measured at the end only and has no history."""
        return self.metric if self.metric in HISTORY_METRICS else summary.METRICS[0]

    @_once
    def conditions_table(self) -> pd.DataFrame:
        """`summary.conditions_table` of these results."""
        return summary.conditions_table(self.results, self.conditions, self.chance)

    @_once
    def runs_table(self) -> pd.DataFrame:
        """`summary.runs_table` of these results."""
        return summary.runs_table(self.results, self.conditions)

    @_once
    def history_table(self) -> pd.DataFrame:
        """`summary.history_table` of these results."""
        return summary.history_table(self.results, self.conditions)

    @_once
    def differences_table(self) -> pd.DataFrame:
        """`summary.differences_table` of the metric."""
        return summary.differences_table(self.results, self.conditions, self.metric, self.baseline)

    @_once
    def hits_table(self) -> pd.DataFrame:
        """`summary.hits_table` of the metric and the threshold."""
        return summary.hits_table(
            self.results, self.conditions, self.curve_metric, self.threshold, self.baseline, self.chance
        )

    @_once
    def reached_table(self) -> pd.DataFrame:
        """`summary.reached_table` of the metric and the threshold."""
        return summary.reached_table(
            self.results, self.conditions, self.curve_metric, self.threshold, self.baseline, self.chance
        )

    @_once
    def lr_table(self) -> pd.DataFrame | None:
        """`summary.lr_table`, or None where the learning rate is no axis. Its threshold is what `learned` says."""
        if "lr" not in dict(self.study.axes):
            return None
        return summary.lr_table(self.results, self.conditions, self.metric, chance=self.chance, baseline=self.baseline)

    @_once
    def joined_table(self) -> pd.DataFrame:
        """`conditions_table` with what `differences_table` and `hits_table` say on each condition.

        An arm on which an axis is void is compared at every value of that axis. Where these comparisons differ, the
        condition has none here; `differences_table` holds them all.
        """
        differences = _one_each(self.differences_table(), _DIFFERENCE_COLUMNS)
        hits = _one_each(self.hits_table(), _HIT_COLUMNS)
        return self.conditions_table().assign(metric=self.metric).join(differences).join(hits)

    def picture(self) -> Picture:
        """What the figures are drawn from."""
        return Picture(
            title=self.study.name,
            arms=tuple(arm.label for arm in self.study.arms),
            axes=tuple(name for name, _ in self.study.axes),
            metric=self.metric,
            conditions=self.conditions_table(),
            history=self.history_table(),
            differences=self.differences_table(),
            reached=self.reached_table(),
            rates=self.lr_table(),
            threshold=wording.threshold_text(self),
            chance=self.chance,
        )


_DIFFERENCE_COLUMNS = {
    "n": "n_pairs",
    "mean_difference": "mean_difference",
    "low": "low_difference",
    "high": "high_difference",
    **{name: name for name in ("p_value", "p_holm", "wins", "ties", "losses", "effect_size")},
}
_HIT_COLUMNS = {
    name: name
    for name in (
        "threshold",
        "n_never",
        *(f"{part}_hit_epoch" for part in ("median", "low", "high")),
        *(f"{part}{what}_ratio" for what in ("epochs", "seconds") for part in ("", "low_", "high_")),
    )
}


def _one_each(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """The columns by condition, renamed; a condition with several different rows is left out."""
    rows = table[["condition", *columns]].drop_duplicates()
    return rows.drop_duplicates("condition", keep=False).set_index("condition").rename(columns=columns)


def check_choice(metric: str, threshold: float | None) -> None:
    """Check what the user asks to compare by, before anything is trained.

    Raises:
        UnknownName: No such metric.
        InvalidConfig: No such threshold.
    """
    is_loss = lower_is_better(metric)
    if threshold is None:
        return
    if not math.isfinite(threshold) or threshold < 0 or (threshold > 1 and not is_loss):
        allowed = "a number from 0" if is_loss else "a number from 0 to 1"
        raise InvalidConfig(f"--threshold must be {allowed} for the metric {metric}. Received: {threshold:g}.")


def read(folder: Path, metric: str = summary.METRICS[0], threshold: float | None = None) -> Evidence:
    """Read a study and its results back from its folder; neither the data nor TensorFlow is needed.

    Args:
        folder: The study's folder.
        metric: What arms are compared by.
        threshold: The value of the metric that counts as reached; None for the best of the baseline's mean curve.

    Raises:
        StoreError: There is no study, or no result yet, or the files are damaged.
    """
    store = Store(folder)
    content = store.read_study()
    if content is None:
        raise StoreError(
            f"{str(folder)!r} holds no study (no study.json). Give the --out folder of a compare or sweep."
        )
    try:
        study = study_from_dict(content["study"])
    except BncliError as error:
        raise StoreError(f"{str(folder)!r}: the study in study.json can't be read ({error})") from error
    known = {entry["id"]: _condition(entry) for entry in content["conditions"]}
    stored = [(condition_id(result.config), result) for result in store.read_runs().values()]
    found = [(known[key], result) for key, result in stored if key in known and result.config.seed in study.seeds]
    if not found:
        raise StoreError(f"{str(folder)!r} holds no finished run of its study (nothing in {RUNS_FILE}).")
    places = {condition: place for place, condition in enumerate(known.values())}
    turns = {seed: turn for turn, seed in enumerate(study.seeds)}
    found.sort(key=lambda pair: (places[pair[0]], turns[pair[1].config.seed]))
    return Evidence(
        study,
        [result for _, result in found],
        {result.config: condition for condition, result in found},
        len(known) * len(study.seeds),
        _chance(content["datasets"]),
        metric,
        threshold,
    )


def _condition(entry: Mapping[str, Any]) -> Condition:
    return Condition(entry["arm"], tuple(entry["values"].items()))


def _chance(data: Mapping[str, Any]) -> float | None:
    levels = {facts["chance"] for facts in data.values()}
    return levels.pop() if len(levels) == 1 else None


def write_files(evidence: Evidence, store: Store) -> list[str]:
    """Write tables, figures and the page into the study's folder; return their names.

    Figures that an earlier state of the study had and this one has not are removed.
    """
    store.write_text(SUMMARY_FILE, console.to_csv(evidence.joined_table()))
    store.write_text(DIFFERENCES_FILE, console.to_csv(evidence.differences_table()))
    store.write_with(HISTORY_FILE, partial(console.write_csv, evidence.history_table()))
    figures = plots.draw_all(evidence.picture())
    drawn = [_write_figure(name, figure, store) for name, figure in figures.items()]
    for name in set(plots.REGISTRY) - set(figures):
        for kind in ("png", "svg"):
            store.remove(f"figures/{name}.{kind}")
    verdicts = claims.verdicts(evidence.study, evidence.results, evidence.conditions)
    store.write_text(REPORT_FILE, page.render(evidence, drawn, store.read_study() or {}, verdicts))
    return [*TABLE_FILES, *(f"figures/{name}.{kind}" for name in figures for kind in ("png", "svg")), REPORT_FILE]


_LIBRARIES = (
    "pandas",
    "rich.table",
    "jinja2",
    "scipy.special",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
)


_loaders: list[threading.Thread] = []


def preload() -> None:
    """Import in the background what `write_files` takes, while the training leaves a core idle.

    No daemon thread: one that ends amid the import of a library in C++ takes the process down with it.
    """

    def load() -> None:
        for name in _LIBRARIES:
            if threading.main_thread().is_alive():
                importlib.import_module(name)

    _loaders.append(threading.Thread(target=load))
    _loaders[-1].start()


def await_libraries() -> None:
    """Wait for `preload`: two threads that import the same libraries can find each other's modules half done."""
    while _loaders:
        _loaders.pop().join()


def derived_files() -> list[str]:
    """The names that `write_files` may write, whatever the study."""
    figures = [f"figures/{name}.{kind}" for name in plots.REGISTRY for kind in ("png", "svg")]
    return [*TABLE_FILES, *figures, REPORT_FILE]


def _write_figure(name: str, figure: Figure, store: Store) -> page.Drawing:
    """Write a figure as PNG and SVG, without dates and versions; return it as the page takes it."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    png = FigureCanvasAgg(figure)  # savefig would draw everything twice
    store.write_with(f"figures/{name}.png", partial(png.print_png, metadata={"Software": None}))
    figure.set_layout_engine("none")  # the layout stays as it was found for the first file
    svg = io.StringIO()
    with rc_context({"svg.hashsalt": "bncli", "svg.fonttype": "path"}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(svg, metadata=nothing)  # type: ignore[no-untyped-call]
    store.write_text(f"figures/{name}.svg", svg.getvalue())
    return page.Drawing(name, svg.getvalue(), " ".join(figure.get_suptitle().replace(r"\$", "$").split()))


def as_json(evidence: Evidence) -> dict[str, Any]:
    """The study's result as one JSON object: question, settings that all runs share, one entry a condition."""
    study = evidence.study.to_dict()
    return {
        "study": study["name"],
        "question": study["question"],
        "source": study["source"],
        "baseline": study["arms"][0],
        "arms": study["arms"],
        "axes": study["axes"],
        "seeds": study["seeds"],
        "n_planned": evidence.n_planned,
        "n_recorded": len(evidence.results),
        "chance": evidence.chance,
        "metric": evidence.metric,
        "threshold": evidence.threshold,
        "conditions": console.records(evidence.joined_table()),
        "run": study["run"],
    }
