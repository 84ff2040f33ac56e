"""Federations with liars: what each defence leaves of the accuracy (docs/stress.md)."""

from simulations.stress.plans import ATTACKS, DEFENCES, StressRun, plan_stress
from simulations.stress.running import run_stress

__all__ = ["ATTACKS", "DEFENCES", "StressRun", "plan_stress", "run_stress"]
