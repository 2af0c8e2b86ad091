"""Other names for arms: what a table or figure of a paper calls them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from bncli.analysis.evidence import Evidence
from bncli.errors import InvalidConfig, shown
from bncli.registry import check_name


def parse_labels(texts: Sequence[str]) -> dict[str, str]:
    """Read names for arms, each given as `ARM=NAME`, several with commas.

    >>> parse_labels(["none=Plain,batch:before=BN", "layer=LN"])
    {'none': 'Plain', 'batch:before': 'BN', 'layer': 'LN'}

    Raises:
        InvalidConfig: Something else is given.
    """
    pairs = [part.rpartition("=") for text in texts for part in text.split(",")]
    for arm, _, name in pairs:
        if not (arm.strip() and name.strip()):
            raise InvalidConfig(
                f"--labels must be ARM=NAME,ARM=NAME,... Received: {shown(','.join(texts))}. "
                "Try --labels none=Plain,batch:before=BN."
            )
    repeated = [arm for arm, count in Counter(arm.strip() for arm, _, _ in pairs).items() if count > 1]
    if repeated:
        raise InvalidConfig(f"--labels names {shown(repeated[0])} twice. Give each arm one name.")
    return {arm.strip(): name.strip() for arm, _, name in pairs}


def with_labels(evidence: Evidence, labels: Mapping[str, str]) -> Evidence:
    """Return the same evidence with other names for some arms.

    Args:
        evidence: The study with its results.
        labels: The arm's label to its new name.

    Raises:
        UnknownName: The study has no such arm.
        InvalidConfig: Two arms would have the same name.
    """
    for arm in labels:
        check_name("arm", arm, evidence.arms)
    new = {arm: labels.get(arm, arm) for arm in evidence.arms}
    if len(set(new.values())) < len(new):
        raise InvalidConfig(f"--labels must keep the names of arms different. Received: {', '.join(new.values())}.")
    study = dataclasses.replace(
        evidence.study, arms=tuple(dataclasses.replace(arm, label=new[arm.label]) for arm in evidence.study.arms)
    )
    conditions = {run: dataclasses.replace(at, arm=new[at.arm]) for run, at in evidence.conditions.items()}
    sites = {new.get(arm, arm): counts for arm, counts in evidence.sites.items()}
    return dataclasses.replace(evidence, study=study, conditions=conditions, sites=sites)
