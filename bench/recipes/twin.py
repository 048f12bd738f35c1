"""The training of a recipe with sentence-transformers: the counterpart of run.mjs. One JSON line on stdout.

    python bench/recipes/twin.py JOB.json

The job: model, columns (in the order of training), loss, head (initial values of the loss's parameters), steps, batchSize,
learningRate, sampler, seed, and sts (sentences1, sentences2, scores, truncateDim) where the model is measured. Of some recipes:
keepLayers (of the model), teacher (labels are its embeddings of the first column, or with DistillKLDivLoss its dot products),
arguments and inner (the loss inside) of the loss.
"""

import contextlib
import json
import random
import sys
import tempfile
import time

import numpy as np
import sentence_transformers
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator
from torch.utils.data import BatchSampler, SequentialSampler

ARGUMENTS = {
    "SoftmaxLoss": lambda model: {"sentence_embedding_dimension": model.get_sentence_embedding_dimension(), "num_labels": 3},
    "MultipleNegativesRankingLoss": lambda model: {"scale": 20},
}


def rows(job):
    """The columns. The reference's no_duplicates sampler ignores the seed, so that its rows are shuffled here."""
    columns = {name: [int(v) for v in values] if name == "label" else values for name, values in job["columns"].items()}
    if "teacher" in job:
        columns["label"] = taught(job, columns)
    if job["sampler"] != "no_duplicates":
        return columns
    order = list(range(len(next(iter(columns.values())))))
    random.Random(job["seed"]).shuffle(order)
    return {name: [values[i] for i in order] for name, values in columns.items()}


def taught(job, columns):
    """What the teacher says of each row."""
    teacher = SentenceTransformer(job["teacher"], device="cpu")
    first, *others = columns.values()
    embeddings = teacher.encode(first)
    if job["loss"] != "DistillKLDivLoss":
        return embeddings.tolist()
    return np.stack([(embeddings * teacher.encode(texts)).sum(axis=1) for texts in others], axis=1).tolist()


def student(job):
    model = SentenceTransformer(job["model"], device="cpu")
    if "keepLayers" in job:
        bert = model[0].auto_model
        bert.encoder.layer = torch.nn.ModuleList([bert.encoder.layer[i] for i in job["keepLayers"]])
        bert.config.num_hidden_layers = len(job["keepLayers"])
    return model


def loss_of(job, model):
    arguments = ARGUMENTS.get(job["loss"], lambda _: {})(model) | job.get("arguments", {})
    if "inner" in job:
        arguments["loss"] = getattr(losses, job["inner"])(model)
    return getattr(losses, job["loss"])(model, **arguments)


def spearman(model, sts):
    evaluator = EmbeddingSimilarityEvaluator(
        sts["sentences1"], sts["sentences2"], sts["scores"], name="sts", write_csv=False, truncate_dim=sts.get("truncateDim")
    )
    return evaluator(model)["sts_spearman_cosine"]


def main():
    job = json.load(open(sys.argv[1], encoding="utf-8"))
    start = time.perf_counter()
    torch.manual_seed(job["seed"])
    model = student(job)
    result = {"before": spearman(model, job["sts"])} if "sts" in job else {}
    loss = loss_of(job, model)
    if job.get("head"):
        own = dict(loss.named_parameters())
        with torch.no_grad():
            for name, tensor in job["head"].items():
                own[name].copy_(torch.tensor(tensor["data"]).reshape(tensor["shape"]))
    values = []
    loss.register_forward_hook(lambda module, inputs, output: values.append(output.item()))
    sampler = job["sampler"]
    if sampler == "sequential":
        sampler = lambda dataset, batch_size, drop_last, **rest: BatchSampler(SequentialSampler(dataset), batch_size, drop_last)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        SentenceTransformerTrainer(
            model=model,
            train_dataset=Dataset.from_dict(rows(job)),
            loss=loss,
            args=SentenceTransformerTrainingArguments(
                output_dir=folder, max_steps=job["steps"], per_device_train_batch_size=job["batchSize"],
                learning_rate=job["learningRate"], warmup_steps=0.1, save_strategy="no", use_cpu=True, disable_tqdm=True,
                report_to="none", seed=job["seed"], batch_sampler=sampler,
            ),
        ).train()
    if "sts" in job:
        result["after"] = spearman(model, job["sts"])
    versions = {"sentenceTransformers": sentence_transformers.__version__, "torch": torch.__version__}
    print(json.dumps({"losses": values, **result, "seconds": round(time.perf_counter() - start, 1), "versions": versions}))


if __name__ == "__main__":
    main()
