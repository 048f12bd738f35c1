"""The training of a SPLADE or ColBERT model with sentence-transformers: the counterpart of late-and-sparse.mjs. One JSON line on stdout.

    python bench/recipes/late_and_sparse_twin.py JOB.json

The job: kind (splade or colbert), model, columns (in the order of training), steps, batchSize, learningRate, seed, of splade
regularizers, of colbert prompts by column, and cranfield (queries, corpus, relevantDocs) where the model is
measured, also before the training with measuresBefore.
"""

import contextlib
import json
import sys
import tempfile
import time

import sentence_transformers
import torch
from datasets import Dataset
from sentence_transformers import (
    MultiVectorEncoder,
    MultiVectorEncoderTrainer,
    MultiVectorEncoderTrainingArguments,
    SparseEncoder,
    SparseEncoderTrainer,
    SparseEncoderTrainingArguments,
)
from sentence_transformers.multi_vector_encoder.evaluation import MultiVectorInformationRetrievalEvaluator
from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
from sentence_transformers.sparse_encoder.evaluation import SparseInformationRetrievalEvaluator
from sentence_transformers.sparse_encoder.losses import SparseMultipleNegativesRankingLoss, SpladeLoss
from torch.utils.data import BatchSampler, SequentialSampler
from transformers import TrainerCallback


class Times(TrainerCallback):
    def __init__(self):
        self.at = []

    def on_step_end(self, args, state, control, **more):
        self.at.append([time.perf_counter(), time.process_time()])


def splade_loss(model, job):
    weights = job["regularizers"]
    return SpladeLoss(
        model,
        SparseMultipleNegativesRankingLoss(model),
        document_regularizer_weight=weights["documentRegularizerWeight"],
        query_regularizer_weight=weights["queryRegularizerWeight"],
    )


KINDS = {
    "splade": (SparseEncoder, SparseEncoderTrainer, SparseEncoderTrainingArguments, splade_loss, SparseInformationRetrievalEvaluator),
    "colbert": (
        MultiVectorEncoder,
        MultiVectorEncoderTrainer,
        MultiVectorEncoderTrainingArguments,
        lambda model, job: MultiVectorMultipleNegativesRankingLoss(model),
        MultiVectorInformationRetrievalEvaluator,
    ),
}


def metrics(kind, model, data):
    relevant = {query: set(documents) for query, documents in data["relevantDocs"].items()}
    evaluator = kind(data["queries"], data["corpus"], relevant, name="cranfield", write_csv=False, batch_size=32)
    return {name: float(value) for name, value in evaluator(model).items()}


def main():
    job = json.load(open(sys.argv[1], encoding="utf-8"))
    model_class, trainer_class, arguments_class, make_loss, evaluator_class = KINDS[job["kind"]]
    torch.manual_seed(job["seed"])
    model = model_class(job["model"], device="cpu")
    result = {"before": metrics(evaluator_class, model, job["cranfield"])} if "cranfield" in job and job["measuresBefore"] else {}
    loss = make_loss(model, job)
    values, times = [], Times()
    loss.register_forward_hook(lambda _module, _inputs, out: values.append((sum(out.values()) if isinstance(out, dict) else out).item()))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        trainer_class(
            model=model,
            train_dataset=Dataset.from_dict(job["columns"]),
            loss=loss,
            args=arguments_class(
                output_dir=folder, max_steps=job["steps"], per_device_train_batch_size=job["batchSize"],
                learning_rate=job["learningRate"], warmup_steps=0.1, save_strategy="no", use_cpu=True, disable_tqdm=True,
                report_to="none", seed=job["seed"], logging_steps=1, prompts=job.get("prompts"),
                batch_sampler=lambda dataset, batch_size, drop_last, **rest: BatchSampler(SequentialSampler(dataset), batch_size, drop_last),
            ),
            callbacks=[times],
        ).train()
    if "cranfield" in job:
        result["after"] = metrics(evaluator_class, model, job["cranfield"])
    versions = {"sentenceTransformers": sentence_transformers.__version__, "torch": torch.__version__}
    print(json.dumps({"losses": values, **result, "times": times.at, "versions": versions}))


if __name__ == "__main__":
    main()
