"""Tables of openml.org, fetched and cached by scikit-learn."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import replace
from typing import Any

from bncli.data.reading import quoted, why_not_downloaded
from bncli.data.splits import LabelledRows
from bncli.data.tables import labelled_rows
from bncli.errors import DataError, InvalidConfig
from bncli.values import plain_text

_REFERENCE = re.compile(r"([\w.()+-]{1,128})@(\d{1,6})")


def fetch(reference: str, label: str | None, drop: str | None) -> LabelledRows:
    """Return a table of openml.org.

    The files are kept in scikit-learn's folder, or in `$BNCLI_DATA_DIR/openml` if it exists; what is there is not
    downloaded again.

    Args:
        reference: `NAME@VERSION`.
        label: The label column; None for the one that the table names as its target.
        drop: The columns to leave out, see `columns.to_drop`.

    Raises:
        InvalidConfig: The reference has no version.
        DataError: The table can't be downloaded or read.
    """
    source = quoted(f"openml:{reference}")
    found = _REFERENCE.fullmatch(reference)
    if not found:
        raise InvalidConfig(
            f"A data set of OpenML is named openml:NAME@VERSION, such as openml:adult@2. Received: {source}. "
            "Its page on www.openml.org has both."
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bunch = _fetched(source, found[1], int(found[2]))
    targets = [str(name) for name in bunch.target_names]
    rows = labelled_rows(source, bunch.frame, label or (targets[0] if len(targets) == 1 else None), drop)
    said = [str(warning.message) for warning in caught if warning.category is UserWarning]
    notices = [f"{source}: {plain_text(text)}" for text in said if "inactive" in text]
    return replace(rows, notices=(*notices, *rows.notices))


def _fetched(source: str, name: str, version: int) -> Any:
    from sklearn.datasets import fetch_openml, get_data_home

    own = os.environ.get("BNCLI_DATA_DIR")
    try:
        home = own if own and os.path.isdir(os.path.join(own, "openml")) else get_data_home()
        return fetch_openml(name, version=version, as_frame=True, parser="auto", data_home=home, n_retries=1, delay=0.5)
    except Exception as error:  # whatever the network, the cache or the table brings
        raise DataError(
            f"{source} is not on this machine and could not be downloaded ({why_not_downloaded(error)}). Run this "
            "command once with a network, or copy the folder openml of ~/scikit_learn_data from another machine, there "
            "or to $BNCLI_DATA_DIR."
        ) from error
