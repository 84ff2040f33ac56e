"""Job scripts for Slurm: a suite or a run, one array task for each seed, a Ray cluster for each."""

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from fedmvp_core.errors import ConfigError
from simulations.runner.named_runs import load_named_run, run_names
from simulations.runner.overrides import parse_overrides
from simulations.runner.project import default_config
from simulations.suite.files import load_suite, suite_names

TEMPLATE = "job.sbatch.j2"
# A run that is told to end has its last checkpoint; only its processes have to be ended.
NOTICE_SECONDS = 120
_TIME = re.compile(r"\d+|\d+:\d\d(:\d\d)?|\d+-\d+(:\d\d){0,2}")
_NAME = re.compile(r"[\w.,-]+")
_OURS = ("seed", "run-name", "resume", "output-dir", "overwrite")


@dataclass(frozen=True)
class Job:
    """What a job asks of Slurm. cpus and gpus: of each node. time: in Slurm's form."""

    nodes: int = 1
    cpus: int = 1
    gpus: int = 0
    clients_per_gpu: int | None = None
    time: str = "24:00:00"
    partition: str = ""
    account: str = ""

    def check(self) -> None:
        """Raises ConfigError for a number or a word that Slurm would not take."""
        for name, value, least in (
            ("nodes", self.nodes, 1),
            ("cpus", self.cpus, 1),
            ("gpus", self.gpus, 0),
            ("clients-per-gpu", 1 if self.clients_per_gpu is None else self.clients_per_gpu, 1),
        ):
            if value < least:
                raise ConfigError(f"{name} is {value}; allowed: {least} or more")
        if self.clients_per_gpu is not None and not self.gpus:
            raise ConfigError(f"clients-per-gpu is {self.clients_per_gpu}, but gpus is 0")
        if not _TIME.fullmatch(self.time):
            raise ConfigError(
                f"time is '{self.time}'; allowed: as Slurm has it, such as 90, 12:00:00 or 1-12"
            )
        for name, word in (("partition", self.partition), ("account", self.account)):
            if word and not _NAME.fullmatch(word):
                raise ConfigError(f"{name} is '{word}'; allowed: letters, digits and . , - _")


@dataclass(frozen=True)
class Work:
    """A suite or a run by its name, the seeds of its array, and the command of one of them."""

    name: str
    seeds: Sequence[int]
    command: str


def work_of(name: str, words: Sequence[str], seeds: Sequence[int], output_dir: Path) -> Work:
    """What to do for `name`; a suite comes before a run that is called so too.

    words: KEY=VALUE of a run. seeds: () = the suite's own, or the run's one.

    Raises:
        ConfigError: there is no such suite and no such run, or a word cannot be given to it.
    """
    if name in suite_names() or (name.endswith(".toml") and _is_suite(name)):
        suite = load_suite(name)
        if words:
            raise ConfigError(f"'{words[0]}' cannot be given to suite '{name}', only to a run")
        folder = ["--output-dir", str(output_dir.absolute())]
        command = ["fedmvp", "suite", _place(name), "--resume", *folder]
        return Work(
            suite.name, list(seeds or suite.seeds), f'{shlex.join(command)} --seeds "$seed"'
        )
    if not name.endswith(".toml") and name not in run_names():
        raise ConfigError(
            f"'{name}' is no suite and no run; fedmvp list shows both, and a path ends in .toml"
        )
    run = load_named_run(name)
    values = parse_overrides(words, default_config())
    if ours := [key for key in _OURS if key in values]:
        raise ConfigError(f"{ours[0]} is set by the job itself; leave it out, or use --seeds")
    own = int(run.config.get("seed", default_config()["seed"]))
    folder = [f"output-dir={output_dir.absolute()}", "resume=latest"]
    command = ["fedmvp", "run", _place(name), *words, *folder]
    names = f'seed="$seed" run-name={shlex.quote(run.name)}-seed"$seed"'
    return Work(run.name, list(seeds or [own]), f"{shlex.join(command)} {names}")


def script(work: Work, job: Job, file: str) -> str:
    """The text of the sbatch file."""
    job.check()
    share = f" --clients-per-gpu {job.clients_per_gpu}" if job.clients_per_gpu else ""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the file is no HTML, and its words are quoted for the shell
        comment_start_string="{##",  # "{#" is the shell's own
        comment_end_string="##}",
    )
    return environment.get_template(TEMPLATE).render(
        file=file,
        name=f"fedmvp-{work.name}",
        seeds=work.seeds,
        nodes=job.nodes,
        cpus=job.cpus,
        gpus=job.gpus,
        time=job.time,
        partition=job.partition,
        account=job.account,
        notice=NOTICE_SECONDS,
        scripts=shlex.quote(str(Path(sys.executable).parent)),
        command=work.command + share,
    )


def _is_suite(path: str) -> bool:
    """Whether a file lists runs, and so is a suite's."""
    try:
        load_suite(path)
    except ConfigError:
        return False
    return True


def _place(name: str) -> str:
    """A file by its absolute path, for the job may start elsewhere."""
    return str(Path(name).expanduser().absolute()) if name.endswith(".toml") else name
