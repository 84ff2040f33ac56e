"""What a run would fail on later, looked for before its first round: counts, packages, room.

The server asks each as soon as it knows enough. `fedmvp run` and its dry run ask the same earlier,
of the clients that they would simulate.
"""

import importlib.util
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from fedmvp_core.adversarial.autoattack import FEWEST_CLASSES
from fedmvp_core.config import FederationSection, RunConfig, RunSection
from fedmvp_core.config.keys import FEWEST_LIARS
from fedmvp_core.data.settings import Evaluation
from fedmvp_core.errors import ConfigError
from fedmvp_core.methods import find_method
from fedmvp_core.protocol import num_bytes
from fedmvp_core.replaced_run import aside_of, is_worth_keeping
from fedmvp_core.run_folder import run_folder
from fedmvp_core.secure.neighbours import sharing
from server_app.aggregation import ConfiguredAggregation
from server_app.callbacks.callback import check_callbacks
from server_app.cohort.nodes import cohort_size
from server_app.guest_strategy import make_strategy
from server_app.privacy import affordable_rounds

AUTOATTACK = "autoattack"


def check_start(config: RunConfig, clients: int) -> None:
    """All that is known without data and weights.

    Raises:
        ConfigError: the run would fail on it.
    """
    check_callbacks(config.run)
    check_counts(config, clients)
    check_attack_package(config.evaluation.robust_attack)
    if find_method(config).trains:
        affordable_rounds(config)


def check_batching(federation: FederationSection, one_process: bool) -> None:
    """Whether clients can share a batch. one_process: whether the engine plays them all in one.

    Raises:
        ConfigError: they cannot.
    """
    if federation.clients_per_batch > 1 and not one_process:
        raise ConfigError(
            f"clients-per-batch is {federation.clients_per_batch}, but this engine plays clients "
            "in other processes; allowed with it: 1, or more with --engine inline"
        )


def check_counts(config: RunConfig, clients: int) -> None:
    """Whether so many clients can do what the configuration asks of a round.

    clients: how many there will be, those included that come later.

    Raises:
        ConfigError: they cannot.
    """
    federation = config.federation
    if federation.start_clients > clients:
        raise ConfigError(
            f"start-clients is {federation.start_clients}, but there are {clients} clients; "
            f"allowed: up to {clients}, or 0 for all"
        )
    if federation.strategy:  # which draws its own cohorts
        make_strategy(federation)
    if federation.rounds == 0 or not find_method(config).trains:
        return
    _check_liars(config, clients)
    cohort = clients if federation.strategy else cohort_size(clients, federation.fraction_train)
    if federation.min_clients > cohort:
        drawn = f", and fraction-train {federation.fraction_train:g} asks {cohort} of them a round"
        raise ConfigError(
            f"min-clients is {federation.min_clients}, but there are {clients} clients"
            f"{drawn if cohort < clients else ''}; allowed: up to {cohort}"
        )
    if not federation.strategy:
        ConfiguredAggregation(config).check_cohort(cohort)
    if config.privacy.secure_aggregation:
        check_secure(config, cohort)


def check_secure(config: RunConfig, cohort: int) -> None:
    """Whether so many clients a round can be added up without one of them being seen.

    Raises:
        ConfigError: they are too few, or do not all send the same tensors.
    """
    sharing(config.privacy, cohort)
    method = find_method(config)
    if len(method.phases) > 1:
        raise ConfigError(
            f"secure-aggregation is true, but method '{method.name}' has the phases "
            f"{', '.join(method.phases)}, and the sum over the clients of one may be over few; "
            "allowed with it: one phase (of fedmvp and fedmvp-capt: method.lora-threshold=0)"
        )


def _check_liars(config: RunConfig, clients: int) -> None:
    """Raises ConfigError where an attack takes the spread of more liars than there are."""
    attack, liars = config.stress.stress_attack, config.stress.liars(clients)
    needed = FEWEST_LIARS.get(attack, 0)
    if 0 < liars < needed:
        raise ConfigError(
            f"stress-attack is '{attack}', which needs {needed} liars or more, but stress-fraction "
            f"{config.stress.stress_fraction:g} of {clients} clients is {liars}; allowed: more "
            "clients, or a larger share"
        )


def check_examples(federation: FederationSection, images: Sequence[int]) -> None:
    """Whether enough clients hold no more training images than may count. images: of each.

    Raises:
        ConfigError: the replies of the others would be refused, and too few would be left.
    """
    most, needed = federation.max_examples, federation.min_clients
    counted = sum(number <= most for number in images)
    if most and federation.rounds and counted < needed:
        raise ConfigError(
            f"max-examples is {most}, but only {counted} of {len(images)} clients hold so few "
            f"images, and min-clients is {needed}; allowed: up to what honest clients hold, "
            f"{max(images)} here, or 0 for no limit"
        )


def check_attack_package(attack: str, key: str = "robust-attack") -> None:
    """Whether an attack has the package that it needs. key: what names it.

    Raises:
        ConfigError: it is not installed.
    """
    if attack == AUTOATTACK and importlib.util.find_spec("pyautoattack") is None:
        raise ConfigError(
            f"{key} is '{AUTOATTACK}', which needs the package pyautoattack: "
            "pip install 'fedmvp[attacks]'"
        )


def check_attack(attack: str, splits: Iterable[Evaluation], key: str = "robust-attack") -> None:
    """Whether an attack can work on every split that it will meet. key: what names it.

    Raises:
        ConfigError: AutoAttack, on a split of too few classes or of several labels an image.
    """
    for split in splits if attack == AUTOATTACK else ():
        classes = len(split.task.class_names)
        if split.images.multi_label:
            raise ConfigError(
                f"{key} is '{attack}', but images of split '{split.name}' have several labels; "
                "allowed with them: ensemble, and the others"
            )
        if 1 < classes < FEWEST_CLASSES:  # a single class is not attacked
            raise ConfigError(
                f"{key} is '{attack}', which needs {FEWEST_CLASSES} classes, but split "
                f"'{split.name}' has {classes}; allowed with it: ensemble, and the others"
            )


def check_room(run: RunSection, tensors: Mapping[str, Tensor], rounds: int) -> None:
    """Whether the checkpoints of so many rounds have room on the disk.

    tensors: what a checkpoint holds at least. What an earlier run takes that goes counts as free.

    Raises:
        ConfigError: they have not.
    """
    folder, needed = run_folder(run), num_bytes(tensors) * (rounds + 1)
    present = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(present).free
    going = [aside_of(folder), *([folder] if is_worth_keeping(folder) and not run.resume else [])]
    if needed > free and needed > free + sum(map(_size, going)):
        raise ConfigError(
            f"{run.output_dir} has room for {free / 1e6:.1f} MB, and the checkpoints of {rounds} "
            f"rounds take {needed / 1e6:.1f} MB; allowed: fewer rounds, another output-dir, or "
            "more room"
        )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
