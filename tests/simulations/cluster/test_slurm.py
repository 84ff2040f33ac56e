"""Job scripts for Slurm: what they ask for, that a shell reads them, and what is refused."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fedmvp_core.errors import ConfigError
from simulations.cli import app
from simulations.cluster import waiting
from simulations.cluster.nodes import Cluster, ClusterNode


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, ["slurm", *words])


def asked(text: str) -> dict[str, str]:
    """The lines for Slurm: option -> value."""
    found = re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", text, re.MULTILINE)
    return dict(found)


def written(folder: Path, *words: str) -> str:
    result = invoke(*words, "--folder", str(folder))
    assert result.exit_code == 0, result.output
    (file,) = folder.glob("*.sbatch")
    assert result.output == f"sbatch {file}\n"
    return file.read_text()


def test_a_suite_is_an_array_over_its_seeds(tmp_path: Path) -> None:
    words = ["--nodes", "2", "--cpus", "8", "--gpus", "4", "--clients-per-gpu", "3"]
    place = ["--partition", "big", "--account", "lab", "--time", "1-12", "--output-dir", "/d/r"]
    text = written(tmp_path, "emoji-zsl", "--seeds", "3", "5", "8", *words, *place)
    assert asked(text) == {
        "job-name": "fedmvp-emoji-zsl",
        "array": "0-2",
        "nodes": "2",
        "ntasks-per-node": "1",
        "cpus-per-task": "8",
        "gpus-per-node": "4",
        "time": "1-12",
        "partition": "big",
        "account": "lab",
        "requeue": "",
        "signal": "B:USR1@120",
        "open-mode": "append",
        "output": "%x-%A_%a.log",
    }
    assert "seeds=(3 5 8)" in text
    assert (
        "fedmvp suite emoji-zsl --resume --output-dir /d/r "
        '--seeds "$seed" --clients-per-gpu 3 --ray-address "$head:$port" &'
    ) in text
    assert "--num-gpus=4" in text


def test_a_run_keeps_its_keys_and_goes_on_when_requeued(tmp_path: Path) -> None:
    text = written(tmp_path, "demo", "rounds=3", "attributes=a b;c", "--output-dir", "/d/r")
    assert "array" in asked(text)
    assert "gpus-per-node" not in asked(text)
    assert (
        "fedmvp run demo rounds=3 'attributes=a b;c' output-dir=/d/r resume=latest "
        'seed="$seed" run-name=demo-seed"$seed" --ray-address "$head:$port" &'
    ) in text
    assert 'scontrol requeue "$SLURM_JOB_ID"' in text


def test_several_are_printed_and_none_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("emoji-zsl", "demo", "--print")
    assert result.output.count("#!/bin/bash") == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("emoji-zsl", "--seeds", "1", "2"), ("demo", "--gpus", "2")])
def test_a_shell_reads_the_script(tmp_path: Path, words: tuple[str, ...]) -> None:
    written(tmp_path, *words)
    (file,) = tmp_path.glob("*.sbatch")
    subprocess.run(["bash", "-n", file], check=True)
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    checked = subprocess.run(["shellcheck", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["no-such"], "'no-such' is no suite and no run"),
        (["no-such.toml"], "run file no-such.toml cannot be read"),
        (["demo", "--nodes", "0"], "nodes is 0; allowed: 1 or more"),
        (["demo", "--cpus", "0"], "cpus is 0; allowed: 1 or more"),
        (["demo", "--gpus", "-1"], "gpus is -1; allowed: 0 or more"),
        (["demo", "--gpus", "1", "--clients-per-gpu", "0"], "clients-per-gpu is 0"),
        (["demo", "--clients-per-gpu", "2"], "clients-per-gpu is 2, but gpus is 0"),
        (["demo", "--time", "tomorrow"], "time is 'tomorrow'; allowed: as Slurm has it"),
        (["demo", "--partition", "a\nb"], r"partition is 'a\nb'"),
        (["demo", "--account", "x; rm"], "account is 'x; rm'"),
        (["demo", "--seeds", "one"], "seeds has 'one'"),
        (["demo", "round=3"], "unknown run-config key 'round'"),
        (["demo", "seed=3"], "seed is set by the job itself"),
        (["emoji-zsl", "rounds=3"], "cannot be given to suite 'emoji-zsl'"),
        (["demo", "demo"], "'demo' is named twice"),
        (["rounds=3"], "no suite or run is named"),
    ],
)
def test_what_cannot_be_a_job_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*words)
    assert result.exit_code == 2, result.output
    assert sentence in " ".join(result.output.split())
    assert list(tmp_path.iterdir()) == []


def test_a_script_is_replaced_only_with_leave(tmp_path: Path) -> None:
    written(tmp_path, "demo")
    assert "replace it with --overwrite" in invoke("demo", "--folder", str(tmp_path)).output
    assert invoke("demo", "--folder", str(tmp_path), "--overwrite").exit_code == 0


def test_a_cluster_that_does_not_become_whole_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def one(address: str) -> Cluster:
        return Cluster(address, [ClusterNode("a", "10.0.0.1", "3f", 1, 0)])

    one.cache_clear = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setattr(waiting, "join_cluster", one)
    monkeypatch.setattr(waiting, "answers", lambda address: True)
    monkeypatch.setattr(waiting, "_PAUSE_SECONDS", 0.01)
    waiting.wait_for_nodes("h:1", 1, seconds=5)
    with pytest.raises(ConfigError, match="1 of 2 Ray nodes came to h:1 in 0 s: a"):
        waiting.wait_for_nodes("h:1", 2, seconds=0.1)


STUBS = {
    "scontrol": 'echo "scontrol $*" >> "$NOTES"\n[ "$1" = show ] && printf "a\\nb\\n" || true',
    "srun": 'echo "srun $*" >> "$NOTES"\nexec sleep 60',
    "python": 'echo "python $*" >> "$NOTES"',
    "fedmvp": 'echo "fedmvp $*" >> "$NOTES"\ntrap "echo ended in order >> $NOTES; exit 3" TERM\n'
    "sleep 60 & wait",
}


@pytest.fixture
def job(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """The script of two nodes as Slurm starts it, with programs that only say that they ran."""
    programs, notes = tmp_path / "bin", tmp_path / "notes"
    programs.mkdir()
    notes.touch()
    for name, code in STUBS.items():
        (programs / name).write_text(f"#!/bin/bash\n{code}\n")
        (programs / name).chmod(0o755)
    text = written(tmp_path, "demo", "--seeds", "5", "7", "--nodes", "2", "--cpus", "4")
    own = f"PATH={Path(sys.executable).parent}:"
    assert own in text
    (tmp_path / "job").write_text(text.replace(own, f"PATH={programs}:"))
    given = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_JOB_ID": "21", "SLURM_JOB_NODELIST": "[a-b]"}
    environment = {**os.environ, **given, "SLURM_CPUS_PER_TASK": "4", "NOTES": str(notes)}
    process = subprocess.Popen(["bash", str(tmp_path / "job")], env=environment)
    deadline = time.monotonic() + 30
    while len(_begun(notes) & {"fedmvp", "srun a", "srun b"}) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    yield process, notes
    process.kill()
    process.wait()


def _begun(notes: Path) -> set[str]:
    """Programs that have said that they run, srun with the node."""
    found = re.findall(r"^(fedmvp|srun)(?:.*--nodelist=(\w))?", notes.read_text(), re.MULTILINE)
    return {" ".join(filter(None, names)) for names in found}


def test_every_node_joins_before_the_run_begins(
    job: tuple["subprocess.Popen[bytes]", Path],
) -> None:
    lines = job[1].read_text().splitlines()
    address = "a:20021"
    head, worker = sorted(line for line in lines if line.startswith("srun"))
    assert "--nodelist=a " in head
    assert f"--head --port={address[2:]} " in head
    assert "--nodelist=b " in worker
    assert worker.endswith(f"--address={address}")
    assert all("ray start --block --num-cpus=4 --num-gpus=0" in line for line in (head, worker))
    assert f"python -P -m simulations.cluster.waiting {address} 2" in lines
    (run,) = (line for line in lines if line.startswith("fedmvp"))
    assert run.endswith(f"seed=7 run-name=demo-seed7 --ray-address {address}")


def test_before_its_time_is_over_a_job_ends_in_order_and_queues_again(
    job: tuple["subprocess.Popen[bytes]", Path],
) -> None:
    process, notes = job
    process.send_signal(signal.SIGUSR1)
    process.wait(timeout=30)
    assert notes.read_text().splitlines()[-2:] == ["ended in order", "scontrol requeue 21"]
