"""Step 3: how long a suite will take here, and how much memory: measured little, multiplied out.

Training: the seconds of an image in one measured client round, times images, local epochs, clients,
rounds, runs and seeds. Evaluation: the seconds of an image in step 2, times tested images and
evaluations; an attack is taken for ATTACK_PASSES of these a step. Clients play one after another.
What is not in it: decoding pictures, which is done once, and the way to and from disk.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from rich.console import Console
from rich.table import Table

from fedmvp_core.config import EvaluationSection, RunConfig
from fedmvp_core.devices import choose_device
from fedmvp_core.methods import find_method
from server_app.cohort.nodes import cohort_size
from simulations.reproduce.asked import Job
from simulations.reproduce.client_round import ClientRound, measure_client_round
from simulations.reproduce.surveyed import Surveyed, data_key
from simulations.reproduce.weights import FoundWeights
from simulations.suite.running import is_done

ATTACK_PASSES = 3  # a forward and a backward, which costs two
COLUMNS = (
    *("runs of", "runs", "seeds", "rounds", "clients", "round s"),
    *("train h", "test h", "all h", "GB"),
)


@dataclass(frozen=True)
class RunCost:
    """Seconds of one run. round: None where nothing is trained."""

    round: ClientRound | None
    client_round: float
    training: float
    evaluation: float


def estimate(
    console: Console, jobs: Sequence[Job], first: Sequence[Job], found: FoundWeights
) -> list[tuple[str, ...]]:
    """Measure each method once, print the table and return its rows, the header first.

    jobs: all. first: those with the first seed, which stand for all seeds.
    """
    measured: dict[RunConfig, ClientRound] = {}
    costs: dict[str, RunCost] = {}
    for job in first:
        round = None
        if find_method(job.config).trains and job.config.federation.rounds:
            kind = _kind(job.config)
            if kind not in measured:
                with console.status(f"measuring a client round of {job.config.model.method}"):
                    measured[kind] = measure_client_round(job.config, job.clients)
            round = measured[kind]
        data = found.data[data_key(job.config, job.clients)]
        costs[job.run.name] = run_cost(job, data, round, found.seconds_per_image[job.weights])
    rows = [COLUMNS, *_rows(jobs, costs)]
    console.print(_table(rows))
    for said in (*_notes(first), f"{_done(jobs)} of {len(jobs)} runs are done already"):
        console.print(said, soft_wrap=True)
    return rows


def _notes(jobs: Sequence[Job]) -> list[str]:
    """What the table is, and what it leaves out."""
    place = "GPU" if choose_device(jobs[0].config.model.device).type == "cuda" else "process"
    notes = [
        "clients: of a round. round s: seconds of one client's round, from one that was measured. "
        "h: hours of all runs and seeds. "
        f"GB: most in use, of the {place}. Clients play one after another; decoding pictures, "
        "once, is not counted"
    ]
    if any(job.config.evaluation.robust_attack != "none" for job in jobs):
        notes.append(f"an attack's step is taken for {ATTACK_PASSES} passes: a rough figure")
    return notes


def _done(jobs: Sequence[Job]) -> int:
    return sum(is_done(job.config) for job in jobs)


def _kind(config: RunConfig) -> RunConfig:
    """What the cost of an image in training depends on, whatever the images are."""
    data = replace(config.data, dataset="", data_dir="", setting="", setting_options="", shots=0)
    data = replace(data, partition="", partition_options="", clients=0, mask_rate=0.0)
    run = replace(config.run, run_name="", seed=0, resume="", overwrite=False)
    federation = replace(config.federation, rounds=0)
    return replace(config, data=data, run=run, federation=federation)


def run_cost(job: Job, data: Surveyed, round: ClientRound | None, per_image: float) -> RunCost:
    """Of one run. per_image: seconds of an evaluated image."""
    config = job.config
    tested = data.tested * evaluations(config, trains=round is not None)
    tested += attacked_images(config.evaluation, data.tested, _rounds(config, round))
    if round is None:
        return RunCost(None, 0.0, 0.0, tested * per_image)
    images = fmean(data.of_clients) * config.training.local_epochs
    client_round = images * round.seconds_per_image
    cohort = cohort_size(job.clients, config.federation.fraction_train)
    # Frozen features of the images and of their mirror images, once.
    prepared = 2 * sum(data.of_clients) * per_image
    training = client_round * cohort * config.federation.rounds + prepared
    return RunCost(round, client_round, training, tested * per_image)


def _rounds(config: RunConfig, round: ClientRound | None) -> int:
    return config.federation.rounds if round is not None else 0


def evaluations(config: RunConfig, trains: bool) -> int:
    """How often the server tests: at first, every few rounds, and after the last."""
    rounds = config.federation.rounds if trains else 0
    every = config.evaluation.evaluate_every
    return len({*range(0, rounds + 1, every), rounds})


def attacked_images(asked: EvaluationSection, tested: int, rounds: int) -> int:
    """As how many evaluated images the attacks count.

    They are on the tuned and the frozen model at the end, and on some images before.
    """
    if asked.robust_attack == "none":
        return 0
    every = asked.robust_every
    between = {0, *(range(0, rounds, every) if every else ())} if rounds else set()
    few = min(asked.robust_images or tested, tested)
    last = min(asked.robust_last_images or tested, tested)
    return (2 * last + len(between) * few) * (ATTACK_PASSES * asked.robust_steps + 1)


def _rows(jobs: Sequence[Job], costs: Mapping[str, RunCost]) -> Iterable[tuple[str, ...]]:
    """One row an entry of the suite, and one of all."""
    entries: dict[str, list[Job]] = {}
    for job in jobs:
        entries.setdefault(job.entry.entry, []).append(job)
    whole = 0.0
    for entry, own in entries.items():
        spent = [costs[job.run.name] for job in own]
        training = sum(cost.training for cost in spent)
        evaluation = sum(cost.evaluation for cost in spent)
        whole += training + evaluation
        rounds = [cost.client_round for cost in spent if cost.round is not None]
        memory = max((cost.round.memory for cost in spent if cost.round is not None), default=0)
        yield (
            entry,
            str(len({job.run.name for job in own})),
            str(len({job.config.run.seed for job in own})),
            _span(_rounds(job.config, costs[job.run.name].round) for job in own),
            _span(cohort_size(job.clients, job.config.federation.fraction_train) for job in own),
            f"{fmean(rounds):.2f}" if rounds else "-",
            hours(training),
            hours(evaluation),
            hours(training + evaluation),
            f"{memory / 1e9:.1f}" if memory else "-",
        )
    yield ("all", str(len(costs)), *"------", hours(whole), "-")


def _span(numbers: Iterable[int]) -> str:
    """ "100", or "50 to 100"."""
    found = sorted(set(numbers))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def hours(seconds: float) -> str:
    """Seconds as hours, with as many digits as there is something to see."""
    number = seconds / 3600
    return f"{number:.1f}" if number >= 1 else f"{number:.3f}"


def _table(rows: Sequence[Sequence[str]]) -> Table:
    header, *body = rows
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(header):
        first = number == 0
        table.add_column(
            name, justify="left" if first else "right", overflow="fold", no_wrap=not first
        )
    for row in body:
        table.add_row(*row)
    return table
