"""A study in MLflow: every run with its settings, its curves and its final metrics, in a SQLite file.

    python examples/to_mlflow.py studies/lr-activation
    mlflow ui --backend-store-uri sqlite:///mlflow.db

Needs `pip install mlflow`.
"""

import sys
from pathlib import Path

import mlflow

import bncli


def main(folder: str) -> None:
    """Write each run of a study as a run of MLflow, and the page as an artifact of the first."""
    result = bncli.load(folder)
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment(result.study.name)
    arms = dict(zip(result.runs["run_id"], result.runs["arm"], strict=True))
    for place, run in enumerate(result.results):
        arm = arms[run.run_id]
        with mlflow.start_run(run_name=f"{arm} seed {run.config.seed}"):
            mlflow.log_params({"arm": arm} | run.config.to_dict())
            mlflow.set_tag("state", run.state)
            for metric, values in run.history.items():
                for epoch, value in enumerate(values, 1):
                    mlflow.log_metric(metric, value, step=epoch)
            mlflow.log_metrics({f"final_{name}": value for name, value in run.metrics.items() if value is not None})
            if place == 0:
                mlflow.log_artifact(str(Path(folder) / "report.html"))


if __name__ == "__main__":
    main(*sys.argv[1:])
