"""What is asked: a suite with published numbers, on one's own data, backbone and weights."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from fedmvp_core.config import PUBLISHED, RunConfig, Scalar
from simulations.runner.named_runs import NamedRun, pretrained_parts, resolve_config
from simulations.runner.project import default_config
from simulations.runner.published import logger as departures_logger
from simulations.runner.resources import visible_gpus
from simulations.suite.files import Suite, SuiteRun, with_root
from simulations.suite.results import DoneRun
from simulations.suite.running import SuiteOptions, own_keys

Weights = tuple[str, str]  # backbone, pretrained
ENDING = "-reproduction"  # of its runs and its page, beside those of the plain suite


@dataclass(frozen=True)
class ReproduceOptions:
    """How a suite is reproduced.

    suite: its name or path. runs: seeds, folders, resources. backbone, pretrained: in place of the
    suite's; "": as it has them. other_counts: go on with a copy of a data set that has other
    numbers of pictures or classes than were published. command: the words that asked for it.
    """

    suite: str
    runs: SuiteOptions
    backbone: str = ""
    pretrained: str = ""
    protocol: str = PUBLISHED
    only_check: bool = False
    other_counts: bool = False
    command: str = ""


@dataclass(frozen=True)
class Job:
    """A planned run: its entry in the suite, and what the suite's file has for it.

    named: backbone and weights. precision: of the clients' arithmetic.
    """

    run: DoneRun
    entry: SuiteRun
    named: Weights
    precision: str

    @property
    def config(self) -> RunConfig:
        return self.run.plan.config

    @property
    def clients(self) -> int:
        return self.run.plan.supernodes

    @property
    def weights(self) -> Weights:
        """Those that are used."""
        return self.config.model.backbone, self.config.model.pretrained


def asked_suite(suite: Suite, options: ReproduceOptions) -> Suite:
    """The suite with the protocol, the backbone and the weights in each of its runs.

    A run's own keys win over what the protocol sets: they say what its table is of.
    """
    runs = [
        replace(entry, run=replace(entry.run, config=_asked(entry.run, options)))
        for entry in suite.runs
    ]
    return replace(suite, name=suite.name + ENDING, runs=runs)


def _asked(run: NamedRun, options: ReproduceOptions) -> Mapping[str, Scalar]:
    config = dict(run.config)
    if options.protocol == PUBLISHED and _has_published(config):
        config["protocol"] = PUBLISHED
    if options.backbone:
        config["backbone"] = options.backbone
    if options.pretrained:
        config["pretrained"] = _with_tower(options.pretrained, str(config.get("pretrained", "")))
    if config.get("precision") == "bf16" and not visible_gpus():
        config["precision"] = "fp32"
    return config


def _with_tower(given: str, before: str) -> str:
    """Weights with the tower of "BASE+TOWER", which such a run is about, unless one is given."""
    towers = pretrained_parts(before)[1:]
    return given if len(pretrained_parts(given)) > 1 else "+".join([given, *towers])


def _has_published(config: Mapping[str, Scalar]) -> bool:
    """Whether anything is public of the run's method; of zero-shot CLIP, say, nothing is."""
    from fedmvp_core.methods.published import published_values

    return bool(published_values({**default_config(), **config}))


def configs_of(suite: Suite, options: SuiteOptions) -> list[RunConfig]:
    """Each run with the first seed; no file is looked at.

    Raises:
        ConfigError: a key of a run is wrong.
    """
    seed = next(iter(options.seeds or suite.seeds))
    runs = [with_root(entry.run, options.root) for entry in suite.runs]
    return [resolve_config(run, own_keys(suite, run, seed, options)) for run in runs]


def jobs_of(
    suite: Suite, asked: Suite, planned: Sequence[DoneRun], options: ReproduceOptions
) -> list[Job]:
    """The planned runs of `asked`, which is `suite` with what the options change."""
    jobs = []
    filed = {
        entry.run.name: (entry, {**default_config(), **as_filed.run.config})
        for entry, as_filed in zip(asked.runs, suite.runs, strict=True)
    }
    for run in planned:
        entry, values = filed[run.name]
        model = run.plan.config.model
        named = model.backbone, model.pretrained  # as filed, with its paths made absolute
        if options.backbone or options.pretrained:
            named = str(values["backbone"]), str(values["pretrained"])
        jobs.append(Job(run, entry, named, str(values["precision"])))
    return jobs


@contextmanager
def silent_departures() -> Iterator[None]:
    """Inside the block nothing is logged of departures, which the kit prints once a method."""
    before = departures_logger.level
    departures_logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        departures_logger.setLevel(before)
