"""What `fedmvp` returns to the shell (docs/operations.md)."""

from fedmvp_core import run_folder

COMPLETED = 0
FAILED = 1  # it began and did not come to its end, or a check found what it looks for
BAD_INPUT = 2  # nothing began: a word, a key or a file that it names cannot be used
INTERRUPTED = 130  # by Ctrl-C, `kill` or a closed terminal; what was done is kept

OF_STATUS = {
    run_folder.COMPLETED: COMPLETED,
    run_folder.FAILED: FAILED,
    run_folder.INTERRUPTED: INTERRUPTED,
}
