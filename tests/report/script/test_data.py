"""Where a script says that its rows come from."""

import shlex

import pytest
from datafiles import write_text

from bncli.config import RunConfig
from bncli.report.script.data import data_code
from bncli.resolution import resolve

ROWS = "".join(f"{n},{'' if n % 5 == 0 else n},{['Oslo', 'Rome'][n % 2]},{'xy'[n // 2 % 2]}\n" for n in range(24))


@pytest.mark.parametrize(
    ("index", "fields", "words"),
    [
        ("", {}, "--set encode=onehot --set impute=median"),
        ("", {"drop": None}, "--set encode=onehot --set impute=median --set drop=none"),
        ("", {"drop": "a", "encode": "ordinal"}, "--set encode=ordinal --set 'drop=Unnamed: 0,a'"),
        ("n", {}, "--set encode=onehot --set impute=median"),
        ("n", {"drop": "a,town"}, "--set drop=a,town"),
    ],
)
def test_the_rows_of_a_table_are_exported_as_they_were_prepared(tmp_path, index, fields, words):
    path = write_text(tmp_path, f"{index},a,town,label\n{ROWS}")
    config, _ = resolve(RunConfig(dataset=path, label="label", **fields))
    expected = f"# The rows come from: bncli dataset {shlex.quote(path)} --label label --set data_seed=0 {words}"
    found = data_code(config).lines[0].replace(" --set scaling=standard", "")
    assert found == f"{expected} --export rows.npz"
