"""Worker processes of `--jobs`: nobody else can use them, and neither processes nor files of them stay behind."""

import pickle
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import psutil
import pytest

from bncli.study.jobs import connect

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


# --- connections ------------------------------------------------------------------------------------------------------


def listening():
    """The addresses at which this process and those that it started accept connections."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return {
        connection.laddr
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


VISIT = """
import asyncio, pickle, ssl, sys
from distributed import Security, rpc
from distributed.core import CommClosedError

def trusting(context):
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return {"ssl_context": context}

async def visit(address, arguments):
    try:
        async with rpc(address, connection_args=arguments) as server:
            return (await asyncio.wait_for(server.identity(), 5))["type"]
    except CommClosedError:
        return "refused"

addresses, owner = pickle.loads(sys.stdin.buffer.read())
ways = {
    "owner": ("tls", owner.get_connection_args("client")),
    "no encryption": ("tcp", {}),
    "no certificate": ("tls", trusting(ssl.create_default_context())),
    "another certificate": ("tls", trusting(Security.temporary().get_connection_args("client")["ssl_context"])),
    "another authority": ("tls", Security.temporary().get_connection_args("client")),
}
for way, (protocol, arguments) in ways.items():
    print(way, *sorted(asyncio.run(visit(f"{protocol}://{address}", arguments)) for address in addresses), sep=",")
"""


def test_only_who_has_the_certificate_of_the_call_is_served():
    before = listening()
    with connect(2) as workers:
        ports = listening() - before
        asked = pickle.dumps(([f"{host}:{port}" for host, port in ports], workers.client.security))
        done = subprocess.run([sys.executable, "-c", VISIT], input=asked, capture_output=True, check=True)
    assert {host for host, _ in ports} == {"127.0.0.1"}
    answers = {way: found for way, *found in (line.split(",") for line in done.stdout.decode().splitlines())}
    assert answers == {  # of every port: none of them is an HTTP server
        "owner": ["Nanny", "Nanny", "_QuietScheduler", "_QuietWorker", "_QuietWorker"],
        "no encryption": ["refused"] * 5,
        "no certificate": ["refused"] * 5,
        "another certificate": ["refused"] * 5,
        "another authority": ["refused"] * 5,  # by the client, to whom the server is a stranger
    }


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_temporary_files_lie_in_a_folder_of_their_own_which_is_removed(temporary):
    with connect(1) as workers:
        (place,) = workers.client.run(tempfile.gettempdir).values()
        (own,) = temporary.iterdir()
        assert place == str(own)
        assert own.stat().st_mode & 0o777 == 0o700
        assert list(own.iterdir())
    assert list(temporary.iterdir()) == []


# --- signals ----------------------------------------------------------------------------------------------------------

LONG = shlex.split("sweep lr=0.01,0.1 -d circles -m dense4 -e 100000 --set n_samples=64 --seeds 2 --jobs 2 -o s")


def start_sweep(until):
    """A sweep on two worker processes, once it has said `until`."""
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    driver = subprocess.Popen([sys.executable, "-m", "bncli", *LONG], start_new_session=True, **streams)
    while (line := driver.stderr.readline()) != until:
        assert line
    return driver


def check_nothing_stays(driver, number, temporary, *, seconds):
    """Send a signal to a driver; it and all that it started have to end, and a driver that can do so tidies up."""
    family = psutil.Process(driver.pid).children(recursive=True)
    driver.send_signal(number)
    driver.communicate(timeout=60)
    assert psutil.wait_procs(family, timeout=seconds)[1] == []
    if number != signal.SIGKILL:
        assert driver.returncode == 128 + number
        assert list(temporary.iterdir()) == []


def test_control_c_does_not_reach_workers(temporary):
    with connect(1) as workers:
        (blocked,) = workers.client.run(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [])).values()
    assert signal.SIGINT in blocked


@pytest.mark.parametrize(
    "number",
    [*(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGTERM, signal.SIGHUP)), signal.SIGKILL],
)
@pytest.mark.slow
def test_workers_that_are_just_starting_end_with_the_driver(temporary, folder, number):
    driver = start_sweep(until="Folder: s\n")
    while len(psutil.Process(driver.pid).children()) < 2:  # a helper of Python's own, and a worker
        assert driver.poll() is None
        time.sleep(0.01)
    check_nothing_stays(driver, number, temporary, seconds=30)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_stays_whenever_the_driver_gets_a_signal(temporary, folder, number):
    dice = random.Random(number)
    for _ in range(10):
        driver = start_sweep(until="Folder: s\n")
        time.sleep(dice.uniform(0, 4))
        check_nothing_stays(driver, number, temporary, seconds=30)


@pytest.mark.slow
def test_a_worker_in_the_middle_of_a_long_step_ends_with_the_driver(temporary, folder):
    script = (
        "import os, signal\nfrom bncli.study.jobs import connect\n"
        "def hold():\n    print(os.getpid(), flush=True)\n    import re; re.match('(a+)+b', 'a' * 40)\n"
        "if __name__ == '__main__':\n    with connect(1) as workers:\n        workers.client.submit(hold).result()\n"
    )
    (folder / "script.py").write_text(script)
    driver = subprocess.Popen([sys.executable, "script.py"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    worker = psutil.Process(int(driver.stdout.readline()))
    time.sleep(0.5)  # the line comes just before the step
    driver.kill()
    driver.wait()
    driver.stdout.close()
    left = psutil.wait_procs([worker], timeout=10)[1]
    for process in left:
        process.kill()
    assert left == []
