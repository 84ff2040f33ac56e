"""`python -m simulations` is `fedmvp`, where the latter is not on the path."""

from simulations.cli import main

main()
