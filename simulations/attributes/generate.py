"""Asks a language model for the attribute phrases of classes, one class a question.

The file is complete after every class, so a run that was stopped can go on. Answers are also kept
in the cache folder, so that the same questions for another file cost nothing.
"""

import hashlib
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.attributes.files import read_attributes
from fedmvp_core.attributes.phrases import name_key
from fedmvp_core.disk import replace_text, write_atomically
from fedmvp_core.errors import ConfigError, DataError
from simulations.attributes.answer import DEFAULT_PROMPT, question, read_phrases
from simulations.attributes.chat import (
    AnswerError,
    BusyError,
    ChatMessage,
    Endpoint,
    EndpointError,
    complete,
)


@dataclass(frozen=True)
class Patience:
    """attempts: at one class. first: seconds before the second, doubled each time up to longest."""

    attempts: int = 6
    first: float = 1.0
    longest: float = 60.0

    def seconds(self, attempt: int, wish: float = 0.0) -> float:
        """Time to wait after the attempt of this number, counted from 0; `wish` is the server's."""
        grown = min(self.longest, self.first * 2.0**attempt)
        # Not seeded: the point of jitter is that two programs differ.
        return max(grown * random.uniform(0.5, 1.0), min(self.longest, wish))


@dataclass(frozen=True)
class Request:
    """What is asked of every class.

    seed: of the first attempt, each further one adds one; None = the server's own.
    """

    count: int = 10
    prompt: str = DEFAULT_PROMPT
    seed: int | None = 1


Report = Callable[[str, str], None]  # class name; "asked", "cached", "kept" or what is wrong


def generate(
    endpoint: Endpoint,
    request: Request,
    class_names: Sequence[str],
    out: Path,
    resume: bool,
    cache: Path,
    patience: Patience,
    report: Report,
) -> dict[str, str]:
    """Fill `out` with phrases for every class; return what is wrong with those that failed.

    Raises:
        ConfigError: `out` is there and `resume` is false, or the prompt lacks {class}.
        DataError: `out` cannot be read or written.
        EndpointError: the server cannot be used; what came before is in `out`.
    """
    question(request.prompt, "", request.count)
    phrases = _begun(out, resume)
    known = {name_key(name) for name in phrases}
    failures: dict[str, str] = {}
    for name in class_names:
        if name_key(name) in known:
            report(name, "kept")
            continue
        try:
            phrases[name], source = _phrases(endpoint, request, name, cache, patience)
        except AnswerError as problem:
            failures[name] = str(problem)
            report(name, str(problem))
            continue
        _write(out, phrases, class_names)
        report(name, source)
    return failures


def _begun(out: Path, resume: bool) -> dict[str, tuple[str, ...]]:
    if not out.exists():
        return {}
    if not resume:
        raise ConfigError(f"'{out}' exists; --resume asks for the classes that it lacks")
    return read_attributes(out)


def _write(out: Path, phrases: Mapping[str, Sequence[str]], class_names: Sequence[str]) -> None:
    rank = {name_key(name): position for position, name in enumerate(class_names)}
    ordered = sorted(phrases, key=lambda name: rank.get(name_key(name), len(rank)))
    content = {name: list(phrases[name]) for name in ordered}
    try:
        replace_text(out, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise DataError(f"'{out}' cannot be written: {error}") from error


def _phrases(
    endpoint: Endpoint, request: Request, class_name: str, cache: Path, patience: Patience
) -> tuple[tuple[str, ...], str]:
    """The phrases of one class, and whether they were "asked" for or "cached"."""
    text = question(request.prompt, class_name, request.count)
    identity = [endpoint.address, endpoint.model, endpoint.temperature, request.seed, text]
    name = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
    file = cache / "attributes" / f"{name}.json"
    try:
        return read_phrases(file.read_text(encoding="utf-8"), request.count), "cached"
    except (OSError, ValueError, AnswerError):
        phrases = ask(endpoint, text, request, patience)

    def write(path: Path) -> None:
        path.write_text(json.dumps(phrases, ensure_ascii=False), encoding="utf-8")

    write_atomically(file, write)
    return phrases, "asked"


def ask(endpoint: Endpoint, text: str, request: Request, patience: Patience) -> tuple[str, ...]:
    """Ask until the answer is usable.

    Raises:
        EndpointError: see complete; or the server stays busy.
        AnswerError: no attempt's answer was usable; it says what was wrong with the last.
    """
    first: ChatMessage = {"role": "user", "content": text}
    messages = [first]
    for attempt in range(patience.attempts):
        answer, wish = "", 0.0
        problem: AnswerError | BusyError
        try:
            seed = None if request.seed is None else request.seed + attempt
            answer = complete(endpoint, messages, seed)
            return read_phrases(answer, request.count)
        except AnswerError as error:
            problem = error
            messages = [first, *_correction(answer, str(error))] if answer else [first]
        except BusyError as error:
            problem, wish = error, error.retry_after
        if attempt + 1 < patience.attempts:
            time.sleep(patience.seconds(attempt, wish))
    if isinstance(problem, BusyError):
        raise EndpointError(f"{problem} ({patience.attempts} attempts)") from None
    raise problem


def _correction(answer: str, problem: str) -> tuple[ChatMessage, ChatMessage]:
    """Tell a model what was wrong: with the same question alone it may err in the same way."""
    wish = f"That cannot be used: {problem}. Answer again, in the form that was asked for."
    return {"role": "assistant", "content": answer}, {"role": "user", "content": wish}
