"""All that a GPU is to be asked, in one go of under 8 minutes, and into the page of measurements.

The parts `step`, `attack` and `evaluation` at ViT-B/16, for batches of 16 and of 128, in float32
and with towers in bfloat16, compiled where the configuration has that; the peak of a matrix product
and what the encoder reaches of it; eight small clients in one batch; clients side by side on Ray.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import ModuleType

import torch
from torch.utils.flop_counter import FlopCounterMode

from fedmvp_core.config import Scalar
from fedmvp_core.errors import FedMVPError
from simulations.bench import attack, cohort, evaluation, side_by_side, step
from simulations.bench.inputs import Inputs
from simulations.bench.paired import spread, take_turns
from simulations.bench.record import Measured
from simulations.console import Console
from simulations.runner.client_cost import settle

SECONDS = 450  # after which nothing new is begun
BATCHES = (16, 128)
SMALL = 16  # images of a client among several in one batch
PER_GPU = (1, 2, 4)
_SIDE, _SMALL_SIDE = 8192, 256  # of a square matrix

Piece = Callable[[], list[Measured]]


def measure(inputs: Inputs) -> list[Measured]:
    """Piece after piece; one that cannot be measured is a line on standard error."""
    began, console = time.monotonic(), Console(stderr=True)
    found: list[Measured] = []
    for name, piece in pieces(inputs):
        if time.monotonic() - began > SECONDS:
            console.print(f"skipped, for {SECONDS} s are over: {name}")
            continue
        try:
            found += piece()
        except torch.OutOfMemoryError:
            console.print(f"skipped, for it does not fit: {name}")
        except FedMVPError as error:  # the other pieces are still worth their time
            console.print(f"skipped: {name}: {error}")
        if inputs.sizes.device == "cuda":
            torch.cuda.empty_cache()
    return found


def pieces(inputs: Inputs) -> Iterator[tuple[str, Piece]]:
    """What is measured, in order, by name."""
    sizes = inputs.sizes
    turns = min(sizes.turns, 5)
    batches = (sizes.batch,) if sizes.quick else BATCHES
    precisions = ("fp32", "bf16") if sizes.device == "cuda" else ("fp32",)
    yield "encoder", partial(_encoder, replace_sizes(inputs, batch=batches[-1], turns=turns))
    for precision in precisions:
        for batch in batches:
            mine = replace_sizes(inputs, batch=batch, precision=precision, turns=turns)
            for module in (step, attack, evaluation):
                yield f"{_name(module)}, {precision}, batch {batch}", partial(module.measure, mine)
    for key, value in (("compile", "true"), ("activation-checkpointing", True)):
        words: dict[str, Scalar] = {**inputs.words, key: value}
        mine = replace_sizes(
            Inputs(sizes, words), batch=batches[-1], precision=precisions[-1], turns=turns
        )
        yield f"step with {key}", partial(step.measure, mine)
    small = replace_sizes(inputs, batch=SMALL, turns=turns, precision=precisions[-1])
    yield "clients in one batch", partial(cohort.measure, small)
    yield "clients side by side", partial(_federation, inputs)


def replace_sizes(inputs: Inputs, **changed: object) -> Inputs:
    """The same with other sizes."""
    return replace(inputs, sizes=replace(inputs.sizes, **changed))  # type: ignore[arg-type]


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _encoder(inputs: Inputs) -> list[Measured]:
    """Peak of a matrix product, and the unprompted encoder's share of it, by precision."""
    sizes = inputs.sizes
    side = _SMALL_SIDE if sizes.quick else _SIDE
    found = []
    for precision in ("fp32", "bf16") if sizes.device == "cuda" else ("fp32",):
        backbone = inputs.backbone(precision)
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        left = torch.randn(side, side, device=backbone.device, dtype=dtype)
        pixels = (sizes.batch, 3, backbone.image_size, backbone.image_size)
        images = torch.randint(256, pixels, dtype=torch.uint8, device=backbone.device)
        encode = torch.no_grad()(partial(backbone.encode_image, images))
        with FlopCounterMode(display=False) as counted:
            encode()
        sides = {"matrix product": partial(torch.mm, left, left), "encode": encode}
        values = take_turns(sides, sizes.turns, partial(settle, backbone.device))
        work = {"matrix product": 2 * side**3, "encode": counted.get_total_flops()}
        rate = {n: work[n] / spread(v).median / 1e12 for n, v in values.items()}
        facts = {
            "TFLOP/s": {name: float(f"{reached:.3g}") for name, reached in rate.items()},
            "share of peak": {n: round(r / rate["matrix product"], 3) for n, r in rate.items()},
        }
        told: dict[str, Scalar] = {"backbone": sizes.backbone, "precision": precision}
        told |= {"images": sizes.batch, "matrix": side}
        found.append(Measured("gpu", "encoder", "s", "encode", values, 0, told, facts))
    return found


def _federation(inputs: Inputs) -> list[Measured]:
    """Rounds on Ray with several clients a GPU, in the precision that is best there."""
    sizes = inputs.sizes
    words: dict[str, Scalar] = {
        "backbone": sizes.backbone,
        "pretrained": "",
        "batch-size": sizes.batch,
        "precision": "bf16" if sizes.device == "cuda" else "fp32",
        **inputs.words,
    }
    at_once = (1,) if sizes.quick else PER_GPU
    few = replace_sizes(Inputs(sizes, words), clients=at_once, rounds=3)
    return side_by_side.measure(few)
