"""Malformed replies against the server's checks: all are refused, each with a reason.

    python -m simulations.benchmarks.fuzz.replies [--count 10000] [--seed 1]

Each goes into a round beside four sound replies, which must still count. Printed is how many there
were of each kind, and for which of the server's reasons they were refused.
"""

import argparse
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from server_app.replies.reading import read_updates
from simulations.benchmarks.fuzz.malformed import KINDS, SOUND_CLIENTS, Round


@dataclass
class Tally:
    """made: how many of each kind. refused: of each kind and reason. wrong: what went wrong."""

    made: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def fuzz(count: int, seed: int) -> Tally:
    """Make so many malformed replies, all kinds in turn, and let the server check them."""
    tally = Tally()
    round = Round()
    sound = [round.sound(client) for client in range(SOUND_CLIENTS)]
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        draw = random.Random(f"{seed}/{number}")
        tally.made[kind] += 1
        try:
            malformed = KINDS[kind](round, draw)
            replies = [*sound, malformed]
            draw.shuffle(replies)
            checked = read_updates(replies, round.asked)
        except Exception as error:  # a reply must be refused, not raise
            tally.wrong.append(f"{kind} {number}: {type(error).__name__}: {error}")
            continue
        counted = [update.partition_id for update in checked.updates]
        if counted != list(range(SOUND_CLIENTS)):
            tally.wrong.append(f"{kind} {number}: the replies of clients {counted} count")
        elif len(checked.refused) != 1 or not checked.refused[0].reason:
            tally.wrong.append(f"{kind} {number}: refused: {checked.refused}")
        else:
            tally.refused[kind, checked.refused[0].kind] += 1
    return tally


def main() -> None:
    """Print the tally; exit with 1 if a reply was not refused or the server failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    tally = fuzz(options.count, options.seed)
    for kind, made in tally.made.items():
        reasons = [f"{r} {n}" for (k, r), n in tally.refused.items() if k == kind]
        print(f"{kind:28} {made:6}  refused: {', '.join(reasons)}")
    for sentence in tally.wrong[:20]:
        print(f"WRONG {sentence}")
    refused, seconds = tally.refused.total(), time.monotonic() - started
    print(f"{refused} of {tally.made.total()} refused, {len(tally.wrong)} wrong, {seconds:.0f} s")
    raise SystemExit(1 if tally.wrong else 0)


if __name__ == "__main__":
    main()
