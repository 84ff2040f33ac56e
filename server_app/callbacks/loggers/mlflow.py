"""MLflow: an SQLite file in the run folder, or the server that MLFLOW_TRACKING_URI names.

MLflow allows letters, digits and `_-.:/ ` in names: other characters become `_`.
"""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from server_app.callbacks.loggers.logger import PROJECT, ExperimentLogger

if TYPE_CHECKING:
    pass

# What MLflow reads when it is imported: it tells its makers nothing, and logs no details.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")

STATUSES = {"completed": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
MOST_METRICS, MOST_PARAMS = 1000, 100  # that MLflow takes at once


class MlflowLogger(ExperimentLogger):
    """Logs to MLflow; MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME are read."""

    name = "mlflow"

    def open(self, id: str) -> str:
        """Parameters of an MLflow run never change, so that they are written once."""
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        local = "MLFLOW_TRACKING_URI" not in os.environ
        if local:
            self.folder.mkdir(parents=True, exist_ok=True)
        self._client: MlflowClient = MlflowClient(
            f"sqlite:///{self.folder / 'mlflow.db'}" if local else None
        )
        self._names: dict[str, str] = {}
        if id:
            self._client.update_run(id, status="RUNNING")
            self._run_id = id
            return id
        place = (self.folder / "artifacts").as_uri() if local else None
        run = self._client.create_run(self._experiment(place), run_name=self.run_name)
        self._run_id = str(run.info.run_id)
        params = [Param(key, str(value)) for key, value in self.settings.items()]
        for first in range(0, len(params), MOST_PARAMS):
            part = params[first : first + MOST_PARAMS]
            self._client.log_batch(self._run_id, params=part)
        return self._run_id

    def _experiment(self, place: str | None) -> str:
        """Its id. place: of the files, if the experiment is new."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=place))

    def log(self, round: int, scalars: Mapping[str, float], position: int) -> None:
        """Raises ValueError if two names would become one."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(self._named(name), x, now, round) for name, x in scalars.items()]
        for first in range(0, len(metrics), MOST_METRICS):
            part = metrics[first : first + MOST_METRICS]
            self._client.log_batch(self._run_id, metrics=part)

    def _named(self, name: str) -> str:
        allowed = allowed_name(name)
        if self._names.setdefault(allowed, name) != name:
            raise ValueError(f"'{name}' and '{self._names[allowed]}' would both be '{allowed}'")
        return allowed

    def log_pictures(self, pictures: Mapping[str, Path], round: int, position: int) -> None:
        """Artifacts below `pictures`, each under its file's name."""
        for path in pictures.values():
            self._client.log_artifact(self._run_id, str(path), "pictures")

    def close(self, status: str) -> None:
        """Finished, failed or killed."""
        self._client.set_terminated(self._run_id, STATUSES[status])


def allowed_name(name: str) -> str:
    """`base/robust-accuracy[pgd-10 eps=4/255]` -> `base/robust-accuracy_pgd-10 eps_4/255_`."""
    return re.sub(r"[^\w\-.:/ ]", "_", name)
