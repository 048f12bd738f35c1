"""The training of a recipe with sentence-transformers: the counterpart of run.mjs. One JSON line on stdout.

    python bench/recipes/twin.py JOB.json

The job: model, columns (in the order of training), loss, head (initial values of the loss's parameters), steps, batchSize,
learningRate, sampler, seed, for several datasets by name also multi, and where the model is measured sts (sentences1,
sentences2, scores, truncateDim) or retrieval (queries, corpus, relevantDocs). Of some recipes: keepLayers (of the model), teacher (labels are its embeddings of the first column, or with
DistillKLDivLoss its dot products), arguments and inner (the loss inside) of the loss, and pooling, maxGradNorm and scheduler where they
are not the usual ones.
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
from sentence_transformers.sentence_transformer import losses, modules
from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator, InformationRetrievalEvaluator
from sentence_transformers.base.sampler import DefaultBatchSampler, NoDuplicatesBatchSampler
from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler

ARGUMENTS = {
    "SoftmaxLoss": lambda model: {"sentence_embedding_dimension": model.get_sentence_embedding_dimension(), "num_labels": 3},
    "MultipleNegativesRankingLoss": lambda model: {"scale": 20},
}


def rows(job, given, sampler):
    """The columns. The reference's no_duplicates sampler ignores the seed, so that its rows are shuffled here."""
    columns = {name: [int(v) for v in values] if name == "label" else values for name, values in given.items()}
    if "teacher" in job:
        columns["label"] = taught(job, columns)
    if sampler != "no_duplicates":
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
    if "pooling" in job:
        transformer = modules.Transformer(job["model"])
        pooling = modules.Pooling(transformer.get_word_embedding_dimension(), job["pooling"])
        model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    else:
        model = SentenceTransformer(job["model"], device="cpu")
    if "keepLayers" in job:
        bert = model[0].auto_model
        bert.encoder.layer = torch.nn.ModuleList([bert.encoder.layer[i] for i in job["keepLayers"]])
        bert.config.num_hidden_layers = len(job["keepLayers"])
    return model


def loss_of(job, name, model):
    arguments = ARGUMENTS.get(name, lambda _: {})(model) | job.get("arguments", {})
    if "inner" in job:
        arguments["loss"] = getattr(losses, job["inner"])(model)
    return getattr(losses, name)(model, **arguments)


def measure(model, job):
    """Spearman's correlation of scores, or NDCG@10 of a retrieval."""
    if "retrieval" in job:
        given = job["retrieval"]
        relevant = {query: set(documents) for query, documents in given["relevantDocs"].items()}
        evaluator = InformationRetrievalEvaluator(given["queries"], given["corpus"], relevant, name="squad", write_csv=False)
        return evaluator(model)["squad_cosine_ndcg@10"]
    sts = job["sts"]
    evaluator = EmbeddingSimilarityEvaluator(
        sts["sentences1"], sts["sentences2"], sts["scores"], name="sts", write_csv=False, truncate_dim=sts.get("truncateDim")
    )
    return evaluator(model)["sts_spearman_cosine"]


def main():
    job = json.load(open(sys.argv[1], encoding="utf-8"))
    start = time.perf_counter()
    torch.manual_seed(job["seed"])
    model = student(job)
    is_measured = "sts" in job or "retrieval" in job
    result = {"before": measure(model, job)} if is_measured else {}
    names = job["loss"] if isinstance(job["loss"], dict) else {"": job["loss"]}
    made = {name: loss_of(job, one, model) for name, one in names.items()}
    loss = made.get("", made)
    if job.get("head"):
        own = dict(loss.named_parameters())
        with torch.no_grad():
            for name, tensor in job["head"].items():
                own[name].copy_(torch.tensor(tensor["data"]).reshape(tensor["shape"]))
    values = []
    for one in made.values():
        one.register_forward_hook(lambda module, inputs, output: values.append(output.item()))
    # Without a sampler of the job, that of our recipe: no duplicates for in-batch negatives.
    usual = {name: "no_duplicates" if one == "MultipleNegativesRankingLoss" else "batch_sampler" for name, one in names.items()}
    sampler = job.get("sampler") or usual
    by_name = sampler if isinstance(sampler, dict) else {name: sampler for name in names}
    columns = {"": job["columns"]} if "" in names else job["columns"]
    datasets = {name: Dataset.from_dict(rows(job, columns[name], by_name[name])) for name in names}
    if sampler == "sequential":
        sampler = lambda dataset, batch_size, drop_last, **rest: BatchSampler(SequentialSampler(dataset), batch_size, drop_last)
    elif isinstance(sampler, dict):
        # The peer takes one sampler for all datasets: this one chooses by the columns.
        kinds = {tuple(datasets[name].column_names): one for name, one in sampler.items()}

        def sampler(dataset, batch_size, drop_last, generator=None, seed=0, valid_label_columns=None):
            if kinds[tuple(dataset.column_names)] == "no_duplicates":
                return NoDuplicatesBatchSampler(dataset, batch_size, drop_last, valid_label_columns, generator=generator, seed=seed)
            return DefaultBatchSampler(RandomSampler(dataset, generator=generator), batch_size, drop_last)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        SentenceTransformerTrainer(
            model=model,
            train_dataset=datasets.get("", datasets),
            loss=loss,
            args=SentenceTransformerTrainingArguments(
                output_dir=folder, max_steps=job["steps"], per_device_train_batch_size=job["batchSize"],
                learning_rate=job["learningRate"], warmup_steps=0.1, save_strategy="no", use_cpu=True, disable_tqdm=True,
                report_to="none", seed=job["seed"], batch_sampler=sampler, max_grad_norm=job.get("maxGradNorm", 1.0),
                lr_scheduler_type=job.get("scheduler", "linear"),
                **({"multi_dataset_batch_sampler": job["multi"]} if job.get("multi") else {}),
            ),
        ).train()
    if is_measured:
        result["after"] = measure(model, job)
    versions = {"sentenceTransformers": sentence_transformers.__version__, "torch": torch.__version__}
    print(json.dumps({"losses": values, **result, "seconds": round(time.perf_counter() - start, 1), "versions": versions}))


if __name__ == "__main__":
    main()
