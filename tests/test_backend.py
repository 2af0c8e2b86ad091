"""The import of TensorFlow: which start-up lines a user gets to see, devices, Keras' backend."""

import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf
from commands import TINY
from tensorflow.python.eager import context

from bncli import backend
from bncli.errors import InvalidConfig

STARTUP = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795528729.884041   15429 port.cc:153] oneDNN custom operations are on.
I0000 00:00:1795528729.884376   15429 cudart_stub.cc:31] Could not find cuda drivers on your machine.
I0000 00:00:1795528729.927573   15429 cpu_feature_guard.cc:227] This binary is optimized to use CPU instructions
E0000 00:00:1795528732.914818   15429 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)
W0000 00:00:1795528732.914818   15429 gpu_device.cc:2342] Cannot dlopen some GPU libraries.
W0000 00:00:1795528732.914818   15429 dso_loader.cc:55] Could not load dynamic library 'libcudnn.so.9'
""".splitlines()


def test_only_lines_about_a_gpu_are_kept():
    assert backend.gpu_lines(STARTUP) == [STARTUP[2], *STARTUP[4:]]


def test_captured_stderr_catches_what_other_code_writes_to_the_file_descriptor(capfd):
    with backend.captured_stderr() as lines:
        os.write(2, b"one\ntwo\n")
    os.write(2, b"three\n")
    assert lines == ["one", "two"]
    assert capfd.readouterr().err == "three\n"


def test_captured_stderr_has_the_lines_also_after_an_error():
    def fail():
        os.write(2, b"one\n")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match=r"^stop$"), backend.captured_stderr() as lines:
        fail()
    assert lines == ["one"]


def test_devices_have_short_names():
    assert backend.devices()[0] == "CPU:0"


def in_a_new_process(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ | environment
    )


def test_another_keras_backend_is_one_clear_error():
    done = in_a_new_process("import bncli.backend", KERAS_BACKEND="jax")
    assert done.stderr.splitlines()[-1] == (
        "bncli.errors.InvalidConfig: KERAS_BACKEND must be tensorflow. Received: 'jax'. Try unset KERAS_BACKEND."
    )


@pytest.mark.parametrize(("driver", "shown"), [("/", True), ("/no/such/driver", False)])
def test_start_up_lines_about_a_gpu_are_shown_where_there_is_a_driver(driver, shown):
    code = (
        "import os, sys, types\n"
        "from pathlib import Path\n"
        "from unittest.mock import MagicMock\n"
        "fake = MagicMock()\n"
        "for part in ('', '.core.protobuf', '.python.eager'):\n"
        "    sys.modules[f'tensorflow{part}'] = fake\n"
        "sys.modules['keras'] = types.ModuleType('keras')\n"
        "from bncli import backend\n"
        f"backend.NVIDIA_DRIVER = Path({driver!r})\n"
        "fake.config = types.SimpleNamespace(list_logical_devices=lambda: os.write(2, b'no CUDA library\\nhello\\n'))\n"
        "fake.get_logger = lambda: types.SimpleNamespace(setLevel=print)\n"
        "backend._import_tensorflow()\n"
    )
    done = in_a_new_process(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ERROR\n", "no CUDA library\n" if shown else "")


TRAINS = """
import json, sys
from bncli import process
from bncli.config import RunConfig
from bncli.resolution import resolve
from bncli.study.execution import train_here
run, _ = resolve(RunConfig(model="conv4 flatten dense4", norm="batch", epochs=2, train_rows=":96", val_rows=":40"))
for engine in ("keras", "stacked"):
    ((result,),) = train_here([run], engine)
    print(json.dumps([result.state, result.error, result.history]))
from bncli import backend
print(backend.keras.config.floatx(), backend.keras.config.image_data_format())
"""


def test_a_gpu_multiplies_in_full_precision_in_a_command_and_in_a_notebook_while_bncli_trains():
    allowed = tf.config.experimental.tensor_float_32_execution_enabled
    own = "from bncli import process; process.take_over()\nfrom bncli.backend import tf\n"
    own += "print(tf.config.experimental.tensor_float_32_execution_enabled())"
    assert in_a_new_process(own).stdout == "False\n"
    before = allowed()
    try:
        for chosen in (True, False):
            tf.config.experimental.enable_tensor_float_32_execution(chosen)
            with backend.own_settings():
                assert not allowed()
            assert allowed() is chosen
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


@pytest.mark.slow
def test_keras_own_settings_change_no_result(tmp_path):
    settings = {"floatx": "float16", "image_data_format": "channels_first", "epsilon": 0.1, "backend": "tensorflow"}
    outputs = []
    for name in ("default", "other"):
        (tmp_path / name).mkdir()
        if name == "other":
            (tmp_path / name / "keras.json").write_text(json.dumps(settings))
        done = in_a_new_process(
            TRAINS, KERAS_HOME=str(tmp_path / name), **{"KERAS_MAX_EPOCHS": "1"} if name == "other" else {}
        )
        outputs.append(done.stdout.splitlines())
    assert [json.loads(line)[0] for line in outputs[0][:2]] == ["complete", "complete"]
    assert outputs[1][:2] == outputs[0][:2]
    assert [lines[2] for lines in outputs] == ["float32 channels_last", "float16 channels_first"]  # a notebook's own


def test_a_command_has_keras_own_defaults_for_all_that_it_does(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float64"}')
    code = (
        "from bncli import process; process.take_over()\n"
        "from bncli import backend; config = backend.keras.config\n"
        "print(config.floatx(), config.dtype_policy().name)"
    )
    assert in_a_new_process(code, KERAS_HOME=str(tmp_path)).stdout == "float32 float32\n"


def test_settings_that_keras_refuses_are_one_clear_error(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float8"}')
    done = in_a_new_process("import bncli.backend", KERAS_HOME=str(tmp_path))
    last = done.stderr.splitlines()[-1]
    assert last.startswith("bncli.errors.InvalidConfig: Keras can't be imported (")
    assert last.endswith(
        "). Its settings are probably wrong: the file keras.json in $KERAS_HOME or ~/.keras, and the environment "
        "variables KERAS_*. Remove them."
    )


@pytest.mark.parametrize("name", ["TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"])
def test_numbers_of_threads_with_which_tensorflow_aborts_or_hangs_are_refused(monkeypatch, name):
    for value in ("-1", "99999", "two", "1.5"):
        monkeypatch.setenv(name, value)
        with pytest.raises(InvalidConfig) as caught:
            backend.check_threads()
        expected = f"{name} must be a whole number from 0 to 1024. Received: {value!r}. Try unset {name}."
        assert str(caught.value) == expected
    for value in ("", "0", "2"):
        monkeypatch.setenv(name, value)
        backend.check_threads()


@pytest.mark.skipif(sys.platform != "linux", reason="a process is forked")
def test_why_tensorflow_ended_the_process_is_shown(folder):
    command = [sys.executable, "-m", "bncli", "train", *TINY, "--seeds", "1", "--quiet"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"TF_XLA_FLAGS": "--bogus"}
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("F0000 ")
    assert done.stderr.endswith("Unknown flag in TF_XLA_FLAGS: --bogus\n")
    assert done.stderr.count("\n") == 1


def test_no_sum_is_added_up_in_a_temporary_variable():
    """TensorFlow's memory optimizer would do so in this large graph, wrongly; see `_leave_sums_alone`."""
    many = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    summed = tf.function(lambda x: tf.reduce_sum(tf.add_n([tf.sin(x * one) for one in many])), autograph=False)
    context.context().enable_run_metadata()
    try:
        summed(tf.zeros([7_000_000]))
        graphs = context.context().export_run_metadata().partition_graphs
    finally:
        context.context().disable_run_metadata()
    assert {node.op for graph in graphs for node in graph.node} & {"AddN", "TemporaryVariable"} == {"AddN"}
