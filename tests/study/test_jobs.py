"""How many worker processes `--jobs` asks for, and what happens if a scheduler can't be reached."""

import pytest
from fakes import make_study

from bncli.config import RunConfig, resolve
from bncli.errors import ClusterError, InvalidConfig
from bncli.process import usable_cores
from bncli.study import jobs
from bncli.study.jobs import choose_jobs, parse_jobs

STUDY = make_study(seeds=tuple(range(6)), n_samples=64, epochs=4)


def test_jobs_is_a_number_or_auto():
    assert [parse_jobs(text) for text in ("1", "12", "auto")] == [1, 12, None]
    for text in ("0", "-1", "two", "", "1.5", "2000", "9" * 41):
        with pytest.raises(InvalidConfig) as caught:
            parse_jobs(text)
        assert str(caught.value) == f"--jobs takes a number from 1 to 1,024, or auto. Received: {text!r}."


def test_auto_keeps_small_work_in_one_process_and_spreads_large():
    small = [config for config, _ in STUDY.plan().runs]
    large = [config.replace(epochs=5000) for config in small]
    assert choose_jobs(None, small, "auto") == 1
    assert choose_jobs(None, [resolve(RunConfig(epochs=2000, seed=s))[0] for s in range(64)], "auto") == (
        usable_cores()
    )
    assert choose_jobs(None, large, "keras") == min(usable_cores(), 12)
    assert choose_jobs(40, small, "auto") == 12


def test_an_address_without_a_scheduler_is_refused(monkeypatch):
    monkeypatch.setattr(jobs, "ANSWER_SECONDS", 1)
    nobody = jobs.connect(1, "tcp://127.0.0.1:9")
    with pytest.raises(ClusterError, match=r"^No Dask scheduler at 'tcp://127.0.0.1:9' \(") as caught, nobody:
        pass
    assert str(caught.value).endswith(f"). {jobs.SCHEDULER_ADVICE}")
