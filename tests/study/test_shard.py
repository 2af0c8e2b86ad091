"""Shares of a study."""

import pytest
from fakes import TWO_AXES, make_study
from hypothesis import given
from hypothesis import strategies as st

from bncli.engines.method import graph_key
from bncli.errors import InvalidConfig
from bncli.study.shard import Shard, parse_shard

CONFIGS = [config for config, _ in make_study(axes=TWO_AXES, seeds=tuple(range(7))).plan().runs]


@given(st.integers(1, 70))
def test_every_run_is_in_one_of_the_shares_which_have_equal_sizes(count):
    shares = [Shard(number, count).of(CONFIGS) for number in range(1, count + 1)]
    assert sorted(config.run_id for share in shares for config in share) == sorted(c.run_id for c in CONFIGS)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert shares == [Shard(number, count).of(CONFIGS) for number in range(1, count + 1)]


def test_runs_of_one_graph_stay_together():
    graphs = [{graph_key(config) for config in Shard(number, 4).of(CONFIGS)} for number in range(1, 5)]
    assert [len(keys) for keys in graphs] == [1, 1, 1, 1]
    assert len(set.union(*graphs)) == 4


def test_parse_shard_reads_i_of_n():
    assert parse_shard("2/4") == Shard(2, 4)
    assert Shard(2, 4).journal == "runs-2-of-4.jsonl"


@pytest.mark.parametrize("text", ["", "2", "0/4", "5/4", "-1/4", "1/0", "a/b", "1/4/2", "1/10001", f"1/{'9' * 41}"])
def test_parse_shard_rejects_invalid(text):
    with pytest.raises(InvalidConfig) as caught:
        parse_shard(text)
    assert str(caught.value) == (
        f"--shard takes I/N: share I, from 1, of N, at most 10,000. Received: {text!r}. Try 1/4."
    )
