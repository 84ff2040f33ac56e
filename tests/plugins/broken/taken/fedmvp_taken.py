"""A plugin under a name that fedmvp has, and one under a name of its own."""

from dataclasses import replace

from fedmvp_core.methods.fap import method as fap

method = replace(fap, name="apt", paper="not the real one")
sound = replace(fap, name="sound", paper="of another package")
