# `make demo`, `make test` and `make release`; each makes the environment first if it is not there.
PYTHON ?= python3
VENV ?= .venv
RUN ?= demo

.PHONY: demo test release
demo: $(VENV)/installed
	$(VENV)/bin/fedmvp run $(RUN) --overwrite

test: $(VENV)/installed
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile -m "not slow and not multihost" --durations=25

# A list of what is installed goes beside the archives. pip-audit asks a service: it needs network.
release: $(VENV)/installed
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e ".[release]"
	rm -rf dist
	$(VENV)/bin/python -m build
	$(VENV)/bin/cyclonedx-py environment --output-reproducible --of JSON -o dist/sbom.cdx.json $(VENV)/bin/python
	$(VENV)/bin/pip-audit --local --skip-editable

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@
