"""What evaluation attacks are called, in metrics, tables and sentences."""

import re
from dataclasses import dataclass

from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.errors import ConfigError

# name -> (how the field writes it, what it is)
ATTACK_NAMES = {
    "fgsm": ("FGSM", "one signed gradient step"),
    "pgd": ("PGD", "signed gradient steps on the cross-entropy, from a random start"),
    "mi-fgsm": ("MI-FGSM", "gradient steps with momentum"),
    "cw": ("CW-PGD", "PGD on the margin between the right class and the next"),
    "tpgd": ("TPGD", "PGD on the distance from the clean prediction, without labels"),
    "apgd-ce": ("APGD-CE", "PGD that chooses its own step size, on the cross-entropy"),
    "apgd-dlr": ("APGD-DLR", "the same on a loss that is blind to the scale of the logits"),
    "apgd-t": ("APGD-T", "the same, aimed at the nearest classes in turn"),
    "pgd-l2": ("PGD-L2", "gradient steps in a ball of the Euclidean norm"),
    "square": ("Square", "random search without gradients; its steps are queries"),
    "ensemble": ("Ensemble", "APGD-CE, APGD-T and Square in a row, the worst of them"),
    "autoattack": ("AutoAttack", "the standard ensemble; needs the package pyautoattack"),
}
WORST_CASE = "worst-case"  # of several attacks with one radius, image by image
_ROBUST = re.compile(r"(?:zero-shot-)?robust-(?:accuracy|map)\[(.+)-(\d+) eps=(.+)\]")


@dataclass(frozen=True)
class AttackName:
    """An attack with its budget; epsilon as it was written, such as "4/255".

    defence: that it goes through, or "".
    """

    attack: str
    steps: int
    epsilon: str
    defence: str = ""

    @property
    def label(self) -> str:
        """As metrics carry it in brackets: `pgd-10 eps=4/255`."""
        return f"{self.attack}-{self.steps} eps={self.epsilon}"

    def metric(self, headline: str) -> str:
        """What is left of a metric under it: `robust-accuracy[pgd-10 eps=4/255]`."""
        return f"robust-{headline}[{self.label}]"

    @property
    def counted_steps(self) -> int | None:
        """Steps that the attack takes: FGSM one; None where it has no such number."""
        return {"fgsm": 1, "autoattack": None, WORST_CASE: None}.get(self.attack, self.steps)

    @property
    def budget(self) -> str:
        """`10 steps`, `1 step`, `1,000 queries` or `standard budget`."""
        steps = self.counted_steps
        if steps is None:
            return "standard budget"
        one, many = ("query", "queries") if self.attack == "square" else ("step", "steps")
        return f"{steps:,} {one if steps == 1 else many}"

    @property
    def spoken(self) -> str:
        """`PGD, 10 steps, ε = 4/255`."""
        name = ATTACK_NAMES.get(self.attack, (self.attack, ""))[0]
        return f"{name}, {self.budget}, ε = {self.epsilon}{self._through}"

    @property
    def short(self) -> str:
        """`pgd-10`; those that have no number of steps to choose, such as `fgsm`, show none."""
        fixed = self.attack in ("fgsm", "autoattack", WORST_CASE)
        return (self.attack if fixed else f"{self.attack}-{self.steps}") + self._through

    @property
    def _through(self) -> str:
        return f" through {self.defence}" if self.defence else ""

    @property
    def magnification(self) -> float:
        """How much a perturbation is enlarged for the eye: epsilon becomes half of full contrast.

        In a Euclidean ball a tenth of it does, about what one pixel moves. 1 where the epsilon
        cannot be read, or is 0.
        """
        try:
            radius = parse_epsilon(self.epsilon)
        except ConfigError:
            return 1.0
        pixel = radius / 10 if self.attack.endswith("-l2") else radius
        return 0.5 / pixel if pixel else 1.0


def attack_of_metric(metric: str) -> AttackName | None:
    """The attack that a metric's name tells, or None for a metric of another kind."""
    match = _ROBUST.fullmatch(metric)
    return AttackName(match[1], int(match[2]), match[3]) if match else None
