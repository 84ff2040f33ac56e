"""How the towers run a transformer block: plainly, compiled, or with activations computed anew."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

# (block, tokens: (n, length, width), mask: (length, length) or None, batch_first) -> tokens.
RunBlock: TypeAlias = Callable[[nn.Module, Tensor, Tensor | None, bool], Tensor]
# Graphs of the one function that is compiled: lengths, with and without gradients, both towers.
MOST_GRAPHS = 64
CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


def run_block(
    block: nn.Module, tokens: Tensor, attn_mask: Tensor | None, batch_first: bool
) -> Tensor:
    """One of open_clip's residual attention blocks on tokens (n, length, width).

    batch_first: layout of the block, as open_clip's Transformer has it.
    """
    if batch_first:
        found: Tensor = block(tokens, attn_mask=attn_mask)
        return found
    return block(tokens.transpose(0, 1), attn_mask=attn_mask).transpose(0, 1)


@dataclass(frozen=True)
class BlockRunning:
    """How blocks run where gradients are asked for: in local training, and in attacks.

    All else runs plainly, so that frozen features are the same bits whatever is chosen here.

    Attributes:
        compiled_rows: how many images the compiled image tower takes at once; others are filled up
            to a multiple of it, so that nothing is compiled anew for a last batch. 0: not compiled.
        checkpointing: whether only what goes into a block is kept for the backward pass, which
            computes the rest again.
    """

    compiled_rows: int = 0
    checkpointing: bool = False

    @property
    def rows(self) -> int:
        """Of how many rows an image tower's input must be a multiple, now."""
        return self.compiled_rows if self.compiled_rows and torch.is_grad_enabled() else 1

    def image(self) -> RunBlock:
        """For image towers: static shapes."""
        return self._run(dynamic=False)

    def text(self) -> RunBlock:
        """For text towers, whose inputs have as many rows as a client has classes."""
        return self._run(dynamic=True)

    def _run(self, dynamic: bool) -> RunBlock:
        if not torch.is_grad_enabled():
            return run_block
        run = compiled_block(dynamic) if self.compiled_rows else run_block
        return _checkpointed(run) if self.checkpointing else run


PLAIN = BlockRunning()


@lru_cache(maxsize=2)
def compiled_block(dynamic: bool) -> RunBlock:
    """`run_block`, compiled. All blocks of a tower are of one form and share what is compiled."""
    settings: Any = torch._dynamo.config
    settings.recompile_limit = max(settings.recompile_limit, MOST_GRAPHS)
    compiled: RunBlock = torch.compile(run_block, dynamic=dynamic, fullgraph=True)
    return compiled


def keep_compiled(folder: Path) -> None:
    """Where what is compiled is kept for other processes, unless a user's environment says it.

    One thread compiles: otherwise each worker would start a pool of processes.
    """
    given = Path(os.environ.get(CACHE_VARIABLE, ""))
    # torch sets the variable itself, to a temporary folder, when open_clip is imported.
    by_torch = given.name.startswith("torchinductor_") and given.parent == Path(gettempdir())
    if by_torch or given == Path():
        os.environ[CACHE_VARIABLE] = str(folder)
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")


def filled_up(
    tokens: Tensor, prompts: Mapping[int, Tensor], rows: int
) -> tuple[Tensor, dict[int, Tensor]]:
    """Tokens (n, length, width) and prompts depth -> (n, k, width), n made a multiple of `rows`.

    The rows that are added are zeros: a row's result depends on no other row, and they are cut off
    before anything is made of them.
    """
    lacking = -len(tokens) % rows
    if not lacking:
        return tokens, dict(prompts)
    more = (0, 0, 0, 0, 0, lacking)
    return F.pad(tokens, more), {depth: F.pad(p, more) for depth, p in prompts.items()}


def _checkpointed(run: RunBlock) -> RunBlock:
    def again(
        block: nn.Module, tokens: Tensor, attn_mask: Tensor | None, batch_first: bool
    ) -> Tensor:
        # Frozen blocks draw nothing: they have no dropout, and are in evaluation mode.
        found: Tensor = checkpoint(
            run,
            block,
            tokens,
            attn_mask,
            batch_first,
            use_reentrant=False,
            preserve_rng_state=False,
        )
        return found

    return again
