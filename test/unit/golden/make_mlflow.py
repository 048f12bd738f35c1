"""Parameters as transformers' MLflowCallback gives them to MLflow, for test/unit/mlflow.test.ts.

    OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 python test/unit/golden/make_mlflow.py

The module mlflow itself is not needed: a stand-in keeps what the callback calls.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
STUB = """
__version__ = "3.0.0"
kept = {}
def is_tracking_uri_set(): return True
def get_tracking_uri(): return ""
class run:
    class info: run_id = "x"
started = []
def active_run(): return run if started else None
def start_run(**options): started.append(1)
def log_params(params, synchronous=None): kept.update({k: str(v) for k, v in params.items()})
def end_run(): started.clear()
from . import utils
"""

folder = Path(tempfile.mkdtemp())
(folder / "mlflow" / "utils").mkdir(parents=True)
(folder / "mlflow" / "__init__.py").write_text(STUB)
(folder / "mlflow" / "utils" / "__init__.py").write_text("from . import validation\n")
(folder / "mlflow" / "utils" / "validation.py").write_text("MAX_PARAM_VAL_LENGTH = 6000\nMAX_PARAMS_TAGS_PER_BATCH = 100\n")
sys.path.insert(0, str(folder))
sys.argv[0] = "train.py"

import mlflow  # noqa: E402
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments  # noqa: E402
from transformers import TrainerControl, TrainerState  # noqa: E402
from transformers.integrations.integration_utils import MLflowCallback  # noqa: E402

# By the names of both sides.
ARGS = {
    "outputDir": "out", "runName": "a run", "learningRate": 2e-05, "perDeviceTrainBatchSize": 16, "numTrainEpochs": 2,
    "warmupSteps": 0.1, "maxGradNorm": 0.5, "weightDecay": 0.01, "loggingSteps": 10, "evalStrategy": "steps", "evalSteps": 20,
    "saveStrategy": "steps", "saveSteps": 20, "seed": 7, "loadBestModelAtEnd": True, "saveTotalLimit": 2,
    "prompts": {"query": "q: ", "document": "d: "},
}


def snake(name):
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


model = SentenceTransformer(str(HERE.parent.parent / "parity" / "golden" / "merging" / "one"), device="cpu")
model.config._name_or_path = "one"
args = SentenceTransformerTrainingArguments(
    **{snake(name): value for name, value in ARGS.items()}, use_cpu=True, report_to="none"
)


def params(flatten):
    mlflow.kept.clear()
    mlflow.started.clear()
    os.environ["MLFLOW_FLATTEN_PARAMS"] = str(flatten)
    callback = MLflowCallback()
    callback.on_train_begin(args, TrainerState(is_world_process_zero=True), TrainerControl(), model=model)
    return dict(mlflow.kept)


config = json.loads((HERE.parent.parent / "parity" / "golden" / "merging" / "one" / "config.json").read_text())
out = HERE / "mlflow.json"
found = {"args": ARGS, "config": config, "params": params(False), "flattened": params(True)}
out.write_text(json.dumps(found, indent=1) + "\n")
