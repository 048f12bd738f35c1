"""The training of the recipe fewShot with SetFit: the counterpart of few-shot.mjs. One JSON line on stdout.

    python bench/recipes/few_shot_twin.py JOB.json

The job: model, train and test (texts, labels), steps, batchSize, learningRate, seed.
"""

import contextlib
import json
import sys
import tempfile
import time

import setfit
import torch
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments
from sklearn.metrics import accuracy_score, f1_score

job = json.load(open(sys.argv[1], encoding="utf-8"))
start = time.perf_counter()
train, test = job["train"], job["test"]


def measure(model):
    model.fit(train["texts"], train["labels"], num_epochs=1)
    predicted = model.predict(test["texts"])
    return {
        "accuracy": accuracy_score(test["labels"], predicted),
        "f1": f1_score(test["labels"], predicted, average="macro"),
    }


with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
    before = measure(SetFitModel.from_pretrained(job["model"], device="cpu"))
    model = SetFitModel.from_pretrained(job["model"], device="cpu")
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=folder, batch_size=job["batchSize"], max_steps=job["steps"], body_learning_rate=job["learningRate"],
            seed=job["seed"], report_to="none", save_strategy="no", show_progress_bar=False,
        ),
        train_dataset=Dataset.from_dict({"text": train["texts"], "label": train["labels"]}),
    )
    trainer.train()
    after = measure(model)
versions = {"setfit": setfit.__version__, "torch": torch.__version__}
print(json.dumps({"before": before, "after": after, "seconds": round(time.perf_counter() - start, 1), "versions": versions}))
