"""Modules that make prompts: the only things that are trained, sent, averaged and saved."""

from fedmvp_core.prompting.prompting import FULL, Features, Prompting, check_tasks

__all__ = ["FULL", "Features", "Prompting", "check_tasks"]
