"""How many worker processes `--jobs` asks for, and what happens if a scheduler can't be reached."""

import asyncio
import queue
import shlex
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress

import dask
import pytest
from fakes import make_study

from bncli import process
from bncli.config import RunConfig
from bncli.errors import ClusterError, InvalidConfig, shown
from bncli.process import usable_cores
from bncli.resolution import resolve
from bncli.study import jobs
from bncli.study.jobs import check_scheduler, choose_jobs, parse_jobs

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


def test_auto_starts_no_more_workers_than_the_memory_suffices_for(monkeypatch):
    large = [config.replace(epochs=5000) for config, _ in STUDY.plan().runs]
    monkeypatch.setattr(process, "usable_cores", lambda: 64)
    monkeypatch.setattr(process, "usable_memory", lambda: 5 << 30)
    assert choose_jobs(None, large, "keras") == 4  # about 0.9 GiB each, of 80 % of the memory
    monkeypatch.setattr(process, "usable_memory", lambda: 1 << 30)
    assert choose_jobs(None, large, "keras") == 1
    assert choose_jobs(8, large, "keras") == 8


@pytest.mark.parametrize("text", ["9" * 5000, "\x1b[2J"])
def test_a_long_or_unprintable_number_of_jobs_is_cut_and_escaped(text):
    with pytest.raises(InvalidConfig) as caught:
        parse_jobs(text)
    received = shown(text)
    assert str(caught.value) == f"--jobs takes a number from 1 to 1,024, or auto. Received: {received}."
    assert len(received) <= 200


# --- a scheduler that runs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.1:8786", "tls://node-7:1", "[::1]:8786", "tcp://[::1]:8786", "ws://a:80"]
)
def test_addresses_of_schedulers(address):
    check_scheduler(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "8786",
        "tcp://",
        "tcp://node-7",
        "tcp://:8786",
        "ucx://node-7:8786",
        "inproc://10.0.0.1/7/1",
        "http://node-7:8786",
        "tcp://node-7:0",
        "tcp://node-7:65536",
        "tcp://node-7:" + 5000 * "1",
        "tcp://node-7:\x1b",
    ],
)
def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(InvalidConfig) as caught:
        check_scheduler(address)
    assert str(caught.value) == (
        f"--scheduler takes an address of the form tcp://HOST:PORT or tls://HOST:PORT. Received: {shown(address)}."
    )


SILENT, SSH = b"", b"SSH-2.0-OpenSSH_9.2p1\r\n"
ADVICE = "Try the address that `dask scheduler` prints; for tls://, Dask's settings name the certificates."


@pytest.fixture
def serve():
    """Start a server that says something to whoever connects, and nothing more; returns its port."""
    with ExitStack() as stack:

        def start(greeting):
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def greet():
                with suppress(OSError):
                    while True:
                        connection = stack.enter_context(server.accept()[0])
                        connection.sendall(greeting)

            threading.Thread(target=greet, daemon=True).start()
            stack.callback(server.shutdown, socket.SHUT_RDWR)
            return server.getsockname()[1]

        yield start


def refusal(address):
    with pytest.raises(ClusterError) as caught, jobs.connect(1, address):
        pass
    return str(caught.value)


@pytest.mark.parametrize(
    ("protocol", "greeting", "reason"),
    [
        ("tcp", SILENT, "no answer in 1 s"),
        ("tcp", SSH, "what answers is something else"),
        (
            "tls",
            SILENT,
            "TLS expects a `ssl_context` argument of type ssl.SSLContext (perhaps check your TLS "
            "configuration?) Instead got None",
        ),
    ],
)
def test_a_server_that_is_no_scheduler_is_refused_in_time(serve, monkeypatch, protocol, greeting, reason):
    monkeypatch.setattr(jobs, "ANSWER_SECONDS", 1)
    address, started = f"{protocol}://127.0.0.1:{serve(greeting)}", time.monotonic()
    assert refusal(address) == f"No Dask scheduler at '{address}' ({reason}). {ADVICE}"
    assert time.monotonic() - started < 5


def test_a_port_that_nobody_listens_on_is_refused(monkeypatch):
    monkeypatch.setattr(jobs, "ANSWER_SECONDS", 1)
    assert refusal("tcp://127.0.0.1:9") == f"No Dask scheduler at 'tcp://127.0.0.1:9' (no answer in 1 s). {ADVICE}"


def test_a_part_of_dask_that_is_no_scheduler_is_refused():
    from distributed.core import Server

    ready, loop = queue.SimpleQueue(), asyncio.new_event_loop()

    async def serve():
        async with Server({}) as server:
            await server.listen("tcp://127.0.0.1:0")
            ended = asyncio.Event()
            ready.put((server.address, ended))
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    address, ended = ready.get()
    try:
        assert refusal(address) == f"No Dask scheduler at '{address}' (what answers is a Server). {ADVICE}"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


# --- Dask's settings --------------------------------------------------------------------------------------------------


def test_settings_with_which_dask_cannot_start_workers_are_refused():
    with (
        dask.config.set({"distributed.worker.preload": ["no_such_module"]}),
        pytest.raises(ClusterError) as caught,
        jobs.connect(2),
    ):
        pass
    assert str(caught.value) == (
        "Can't start 2 worker processes (No module named 'no_such_module'). "
        "Try --jobs 1; or look at Dask's settings: DASK_ variables and ~/.config/dask."
    )


def test_settings_that_dask_cannot_read_are_refused(folder, monkeypatch):
    (folder / "bad.yaml").write_text("[]")
    monkeypatch.setenv("DASK_CONFIG", str(folder / "bad.yaml"))
    command = [sys.executable, "-m", "bncli", *shlex.split("train -d circles -m dense4 -e 1 --seeds 2 --jobs 2 -q")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        f"Error: Dask can't be used (A dask config file at '{folder}/bad.yaml' is malformed - config files must have a "
        "dict as the top level object, got a list instead). "
        "Look at Dask's settings: DASK_ variables and ~/.config/dask.\n",
    )
