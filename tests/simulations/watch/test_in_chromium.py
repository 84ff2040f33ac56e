"""The page follows a run of another process, in a browser."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from browser import BROWSER, browser_page

from simulations.watch.server import WatchServer

RUN = (
    "rounds=4 evaluate-every=1 shots=2 batch-size=8 dataset=imagefolder run-name=live pretrained= "
    "method=promptfl robust-attack=none"
)
# The points of all lines in the chart of accuracies.
POINTS = "document.querySelectorAll('svg.chart [id^=\"accuracy-\"] use').length"
DONE = "document.querySelector('.going b').textContent"


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium")
def test_a_new_point_appears_while_the_run_goes_on(tmp_path: Path, picture_folder: Path) -> None:
    words = [*RUN.split(), f"data-dir={picture_folder}", f"output-dir={tmp_path}"]
    command = [sys.executable, "-m", "simulations", "run", *words, f"cache-dir={tmp_path / 'c'}"]
    run = subprocess.Popen(
        [*command, "--engine", "inline", "--supernodes", "2", "--no-report"],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        with WatchServer(tmp_path) as server, browser_page(tmp_path / "profile") as page:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            page.open(server.url)
            assert "There is no run here yet" in page.value("document.body.innerText")
            page.wait_for("!!document.querySelector('a[href=\"/run/live\"]')", 90)
            page.value("document.querySelector('a[href=\"/run/live\"]').click()")
            page.wait_for("!!document.querySelector('.going b')", 60)
            page.wait_for(f"{POINTS} > 0", 90)
            run.send_signal(signal.SIGSTOP)  # so that what is drawn now is not the end already
            early, done = page.value(POINTS), page.value(DONE)
            page.value("document.getElementById('settings').open = true")
            run.send_signal(signal.SIGCONT)
            page.wait_for(f"{POINTS} > {early}", 90)
            assert page.value("document.getElementById('settings').open"), "a swap closed it"
            page.wait_for("!!document.querySelector('.status.completed')", 120)
            assert (done, page.value(DONE)) != ("4 of 4", "")
            assert re.match(r"live: completed", page.value("document.title"))
            assert page.complaints == []
            server.shutdown()
    finally:
        run.send_signal(signal.SIGCONT)
        try:
            assert run.wait(timeout=60) == 0
        finally:
            run.kill()
