"""The life of a command that trains: its folder, --restart, failed runs, interrupts."""

from commands import TINY, error

from bncli.results import RunResult


def test_the_same_command_continues(bncli, engine):
    bncli("sweep", "lr=0.1", *TINY, "--seeds", "1")
    err = bncli("sweep", "lr=0.1,0.2", *TINY, "--seeds", "2")[2]
    assert "12 runs: 6 conditions x 2 seeds; 3 are done already" in err
    assert len(engine) == 12


def test_an_output_folder_with_another_study_is_refused(bncli, engine):
    bncli("compare", *TINY, "-o", "s")
    message = error(bncli("compare", *TINY, "-o", "s", "--lr", "0.5"))
    assert message == (
        "The output folder 's' holds another study: it differs in lr (0.001 there, 0.5 here). "
        "Try another --out, or make the field an axis."
    )


def test_restart_in_a_folder_without_a_study_deletes_nothing(bncli, engine, folder):
    (folder / "summary.csv").write_text("mine")
    (folder / "code.py").write_text("mine")
    assert error(bncli("sweep", "lr=0.1", *TINY, "--restart", "-o", ".")) == (
        "--restart deletes nothing in '.', which holds summary.csv but no study (no study.json). "
        "Try --out with a new or empty folder."
    )
    (folder / "summary.csv").unlink()
    assert error(bncli("sweep", "lr=0.1", *TINY, "--restart", "-o", ".")) == (
        "The output folder '.' holds other files (code.py) and no study. Try --out with a new or empty folder."
    )
    assert [path.name for path in folder.iterdir()] == ["code.py"]
    assert engine == []


def test_restart_with_a_wrong_scheduler_deletes_nothing(bncli, engine, folder, monkeypatch):
    monkeypatch.setattr("bncli.study.jobs.CONNECT_SECONDS", 1)
    command = ("sweep", "lr=0.1", *TINY, "-q", "-o", "s")
    assert bncli(*command)[0] == 0
    before = {path.name: path.read_bytes() for path in (folder / "s").iterdir() if path.is_file()}
    message = error(bncli(*command, "--restart", "--scheduler", "tcp://127.0.0.1:9"))
    assert message.startswith("No Dask scheduler at 'tcp://127.0.0.1:9' (")
    assert {path.name: path.read_bytes() for path in (folder / "s").iterdir() if path.is_file()} == before


def test_failed_runs_are_reported_and_exit_with_1(bncli, monkeypatch):
    def fail(configs, engine, on_epoch, on_model):
        return ([RunResult(config, "failed", error="ValueError: no\ntraceback")] for config in configs)

    bncli.trainer = fail
    status, out, err = bncli("compare", *TINY, "--seeds", "1", "-o", "s")
    assert status == 1
    assert "failed" in out
    assert "Note: none seed=0 failed: ValueError: no" in err
    assert "Error: 3 of 3 runs failed, the first with ValueError: no" in err


def test_an_interrupt_says_how_to_continue_and_exits_with_130(bncli, monkeypatch):
    def interrupt(configs, engine, on_epoch, on_model):
        yield [RunResult(configs[0], "complete", metrics={}, history={})]
        raise KeyboardInterrupt

    bncli.trainer = interrupt
    status, _, err = bncli("compare", *TINY, "--seeds", "1", "-o", "s")
    assert status == 130
    assert "Interrupted. 1 of 3 runs are saved in s; the same command continues.\n" in err
