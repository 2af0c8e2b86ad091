"""The probes by name: what is measured inside networks, by layer and epoch. `bncli.probes` computes them."""

from __future__ import annotations

from dataclasses import dataclass

PERCENTILES = (15, 50, 85)
"""The percentiles of figure 1b and 1c of Ioffe and Szegedy (2015), arXiv 1502.03167."""

SATURATED = 3.0
"""Where a sigmoid counts as saturated: beyond ±3 its slope is below a fifth of its largest (0.045 against 0.25)."""


@dataclass(frozen=True)
class Probe:
    """Something that is measured inside a network.

    Attributes:
        label: What figures and tables call it.
        what: What it is, as a phrase for help and documentation.
        is_full: Whether it takes the level `full`.
        of: What must be there to be measured: `normalization` or `moving averages`; empty for weights and activations.
        activations: The activations that it is of; empty for all, or none.
    """

    label: str
    what: str
    is_full: bool = False
    of: str = ""
    activations: tuple[str, ...] = ()


NORMALIZATION, AVERAGES = "normalization", "moving averages"


def _percentiles(kind: str, what: str, of: str = "") -> dict[str, Probe]:
    whats = {q: f"the {q}th percentile of {what}" for q in PERCENTILES}
    return {f"{kind}_p{q}": Probe(f"{kind}, {q}th percentile", whats[q], of=of) for q in PERCENTILES}


PROBES = {
    **_percentiles("input", "what a normalization gets", NORMALIZATION),
    **_percentiles("output", "what a normalization returns", NORMALIZATION),
    **_percentiles("preactivation", "what an activation gets"),
    "dead": Probe("dead units", "the share of ReLU units that return 0 for all rows", activations=("relu", "relu6")),
    "saturated": Probe(
        "saturated",
        f"the share of sigmoid and tanh inputs beyond ±{SATURATED:g}",
        activations=("sigmoid", "tanh"),
    ),
    "mean_lag": Probe(
        "lag of the moving mean",
        "how far the moving mean is from the rows' mean, in standard deviations, averaged over channels",
        of=AVERAGES,
    ),
    "variance_lag": Probe(
        "lag of the moving variance",
        "the absolute logarithm of the moving over the rows' variance, averaged over channels",
        of=AVERAGES,
    ),
    "gamma": Probe("gamma", "the mean of gamma", of=NORMALIZATION),
    "beta": Probe("beta", "the mean of beta", of=NORMALIZATION),
    "weight_norm": Probe("weight norm", "the Euclidean norm of a kernel"),
    "effective_lr": Probe(
        "effective learning rate",
        "the learning rate over the squared norm of a kernel (van Laarhoven 2017, arXiv 1706.05350)",
    ),
    "gradient_norm": Probe("gradient norm", "the Euclidean norm of the gradient of a kernel", is_full=True),
    "participation": Probe(
        "participation ratio",
        "in how many directions an activation's inputs point, from 1 to the number of rows (Daneshmand et al. 2020, "
        "arXiv 2003.01652)",
        is_full=True,
    ),
    "loss_range": Probe(
        "loss range",
        "how much the loss varies within 4 learning rates along the gradient (Santurkar et al. 2018, arXiv 1805.11604)",
        is_full=True,
    ),
    "gradient_change": Probe(
        "gradient change",
        "by how much the gradient changes at most on that way (gradient predictiveness)",
        is_full=True,
    ),
    "smoothness": Probe(
        "effective smoothness", "the largest change of the gradient on that way, per distance", is_full=True
    ),
    "covariate_shift": Probe(
        "internal covariate shift",
        "by how much a kernel's gradient changes when the layers before it take their step (definition 2.1 of "
        "Santurkar et al. 2018)",
        is_full=True,
    ),
}
"""The probes by name."""
