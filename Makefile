# `make demo` and `make test`; each makes the environment first if it is not there.
PYTHON ?= python3
VENV ?= .venv
RUN ?= demo

.PHONY: demo test
demo: $(VENV)/installed
	$(VENV)/bin/fedmvp run $(RUN) --overwrite

test: $(VENV)/installed
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile -m "not slow and not multihost"

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@
