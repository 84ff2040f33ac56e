"""What updates give away: pictures (inversion) and who was trained on (membership).

    python -m simulations.benchmarks.leaks membership --federations 16 --rounds 5
    python -m simulations.benchmarks.leaks inversion --steps 200

Printed are Markdown tables (docs/security.md). Each row is a method and its phase; the privacy of
the run; and what the attacker sees: one client's update after one round, the sum of the cohort's
updates as secure aggregation leaves it, or the global prompts after many rounds.
"""

import argparse
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from fedmvp_core.privacy.mechanisms import private_mean, private_update
from fedmvp_core.privacy.noise import seeded_draw
from fedmvp_core.prompting import FULL
from fedmvp_core.prompting.promptformer import LORA
from fedmvp_core.seeding import generator
from simulations.benchmarks.leaks.federation import CLIENTS, Federation, Tensors, open_federation
from simulations.benchmarks.leaks.inversion import invert
from simulations.benchmarks.leaks.membership import ATTACKS, leak
from simulations.benchmarks.leaks.quality import psnr, ssim

NONE, LOCAL, CENTRAL = "none", "local", "central"
ONE, SUM, MANY = "one update", "sum of the cohort", "global prompts"
CASES = (
    ("promptfl", FULL, NONE),
    ("promptfl", FULL, LOCAL),
    ("promptfl", FULL, CENTRAL),
    ("fedkeep", FULL, NONE),
    ("fedmvp", FULL, NONE),
    ("fedmvp", LORA, NONE),
)
CLIPPING, NOISE = 0.3, 1.0  # clipping-norm and noise-multiplier of the private rows


def views(
    federation: Federation, members: Tensor, privacy: str, rounds: int, seed: int
) -> dict[str, Tensors]:
    """What an attacker sees of one federation, as whole sets of prompt tensors."""
    received, seen = dict(federation.start), {}
    shards = (federation.shard(members), *federation.others)
    draw = seeded_draw(generator(seed, "noise"))
    for round in range(1, rounds + 1):
        updates = [federation.trained(received, shard, round, seed) for shard in shards]
        if privacy == LOCAL:
            updates = [private_update(u, received, CLIPPING, NOISE, draw) for u in updates]
        if privacy == CENTRAL:
            names = list(updates[0])
            mean = private_mean(updates, received, names, CLIENTS, CLIPPING, NOISE, draw)
        else:
            mean = federation.mean(updates)
        if round == 1:
            seen = {ONE: {**received, **updates[0]}} if privacy != CENTRAL else {}
            seen[SUM] = {**received, **mean}
        received |= mean
    return {**seen, MANY: received}


def membership(options: argparse.Namespace) -> Iterator[str]:
    """The rows of the table of membership."""
    yield (
        "| method, phase | privacy | seen | "
        + " | ".join(f"{name}: AUC | TPR at 1 % FPR" for name in ATTACKS)
        + " |"
    )
    yield "| --- | --- | --- |" + " ---: | ---: |" * len(ATTACKS)
    for method, phase, privacy in _asked(options):
        federation = open_federation(method, phase, options.local_epochs)
        count = len(federation.pool)
        everything = federation.shard(torch.ones(count, dtype=torch.bool))
        draw = torch.Generator().manual_seed(0)
        halves = [
            torch.randperm(count, generator=draw) < count // 2 for _ in range(options.federations)
        ]
        sure: dict[str, list[Tensor]] = {}
        for seed, members in enumerate(halves):
            for what, tensors in views(federation, members, privacy, options.rounds, seed).items():
                sure.setdefault(what, []).append(federation.confidences(tensors, everything))
        for what, rows in sure.items():
            truth = torch.stack(halves)
            found = [leak(attack(torch.stack(rows), truth), truth) for attack in ATTACKS.values()]
            numbers = " | ".join(f"{one.auc:.2f} | {one.tpr:.2f}" for one in found)
            yield f"| {method}, {phase} | {privacy} | {_words(what, options.rounds)} | {numbers} |"


def _asked(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    return [case for case in CASES if case[0] in options.methods]


def _words(what: str, rounds: int) -> str:
    return f"{what}, {rounds} rounds" if what == MANY else f"{what}, 1 round"


def inversion(options: argparse.Namespace) -> Iterator[str]:
    """The rows of the table of inversion."""
    yield "| method, phase | privacy | pictures in the update | PSNR, dB | SSIM |"
    yield "| --- | --- | --- | ---: | ---: |"
    control = True
    for method, phase, privacy in _asked(options):
        if privacy == CENTRAL:
            continue  # it hides what is published; the server itself sees the row without
        federation = open_federation(method, phase, 1)
        everything = federation.shard(torch.ones(len(federation.pool), dtype=torch.bool))
        pictures = everything.images.float() / 255
        if control:
            control = False
            mean = pictures[4:].mean(dim=0, keepdim=True)
            yield f"| control: the mean of other pictures | | | {_alike(pictures[:1], mean)} |"
            noise = torch.rand(1, *pictures.shape[1:], generator=torch.Generator().manual_seed(1))
            yield f"| control: noise | | | {_alike(pictures[:1], noise)} |"
        for count in (1, 4):
            true, labels = pictures[:count], everything.labels[:count]
            update = [g.detach() for g in federation.gradient(true, labels, everything)]
            if privacy == LOCAL:
                update = _noised(update)
            found = invert(
                partial(federation.gradient, labels=labels, shard=everything),
                update,
                true.shape,
                torch.Generator().manual_seed(0),
                options.steps,
            )
            yield f"| {method}, {phase} | {privacy} | {count} | {_alike(true, found)} |"


def _noised(gradient: list[Tensor]) -> list[Tensor]:
    """The gradient as `privacy=local` sends a step along it that is as long as may be."""
    named = {str(number): value for number, value in enumerate(gradient)}
    length = torch.cat([value.flatten() for value in gradient]).norm()
    scaled = {name: value * CLIPPING / length for name, value in named.items()}
    nothing = {name: torch.zeros_like(value) for name, value in named.items()}
    draw = seeded_draw(generator(0, "noise"))
    return [*private_update(scaled, nothing, CLIPPING, NOISE, draw).values()]


def _alike(true: Tensor, found: Tensor) -> str:
    """Of each true picture the most alike found one, averaged."""
    best = [max((psnr(t, f), ssim(t, f)) for f in found) for t in true]
    signals, structures = zip(*best, strict=True)
    return f"{sum(signals) / len(best):.1f} | {sum(structures) / len(best):.2f}"


def main() -> None:
    """Print the table that is asked for, row by row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("table", choices=["membership", "inversion"])
    names = list(dict.fromkeys(method for method, _, _ in CASES))
    parser.add_argument("--methods", nargs="+", choices=names, default=names)
    parser.add_argument("--federations", type=int, default=16, help="attacked in turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--local-epochs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=200, help="of inversion")
    options = parser.parse_args()
    for row in (membership if options.table == "membership" else inversion)(options):
        print(row, flush=True)


if __name__ == "__main__":
    main()
