import re
import shutil
import subprocess

import pytest

from simulations.report import write_report

BROWSER = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --enable-logging=stderr --v=0"
)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium")
def test_a_browser_opens_it_without_a_complaint(make_run, tmp_path):
    path = write_report(make_run(tmp_path / "run"))
    command = [BROWSER, *QUIET.split(), f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, path.as_uri()], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("</svg>") == 10
    assert "How to repeat it" in done.stdout
    assert not [line for line in done.stderr.splitlines() if re.search(r"CONSOLE|Refused to", line)]
