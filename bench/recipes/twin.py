"""The training of a recipe with sentence-transformers: the counterpart of run.mjs. One JSON line on stdout.

    python bench/recipes/twin.py JOB.json

The job: model, columns (in the order of training), loss, head (initial values of the loss's parameters), steps, batchSize,
learningRate, sampler, seed; maxGradNorm, scheduler, maxSeqLength and pooling where they are not the usual ones; and measure (the data of
an evaluator, and the name of its metric) where the model is measured.
"""

import contextlib
import json
import random
import sys
import tempfile
import time

import sentence_transformers
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer import losses, modules
from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator, InformationRetrievalEvaluator
from torch.utils.data import BatchSampler, SequentialSampler

ARGUMENTS = {
    "SoftmaxLoss": lambda model: {"sentence_embedding_dimension": model.get_sentence_embedding_dimension(), "num_labels": 3},
    "MultipleNegativesRankingLoss": lambda model: {"scale": 20},
    "DenoisingAutoEncoderLoss": lambda model: {"tie_encoder_decoder": True},
}


def rows(job):
    """The columns. The reference's no_duplicates sampler ignores the seed, so that its rows are shuffled here."""
    columns = {name: [int(v) for v in values] if name == "label" else values for name, values in job["columns"].items()}
    if job["sampler"] != "no_duplicates":
        return columns
    order = list(range(len(next(iter(columns.values())))))
    random.Random(job["seed"]).shuffle(order)
    return {name: [values[i] for i in order] for name, values in columns.items()}


def measured(model, measure):
    if "corpus" in measure:
        relevant = {query: set(ids) for query, ids in measure["relevantDocs"].items()}
        evaluator = InformationRetrievalEvaluator(measure["queries"], measure["corpus"], relevant, name="squad", write_csv=False)
    else:
        columns = [measure[name] for name in ("sentences1", "sentences2", "scores")]
        evaluator = EmbeddingSimilarityEvaluator(*columns, name="sts", write_csv=False)
    return evaluator(model)[measure["metric"]]


def load(job):
    if "pooling" not in job:
        model = SentenceTransformer(job["model"], device="cpu")
    else:
        transformer = modules.Transformer(job["model"])
        pooling = modules.Pooling(transformer.get_word_embedding_dimension(), job["pooling"])
        model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    if "maxSeqLength" in job:
        model.max_seq_length = job["maxSeqLength"]
    return model


def main():
    job = json.load(open(sys.argv[1], encoding="utf-8"))
    start = time.perf_counter()
    torch.manual_seed(job["seed"])
    model = load(job)
    result = {"before": measured(model, job["measure"])} if "measure" in job else {}
    loss = getattr(losses, job["loss"])(model, **ARGUMENTS.get(job["loss"], lambda _: {})(model))
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
                report_to="none", seed=job["seed"], batch_sampler=sampler, max_grad_norm=job.get("maxGradNorm", 1.0),
                lr_scheduler_type=job.get("scheduler", "linear"),
            ),
        ).train()
    if "measure" in job:
        result["after"] = measured(model, job["measure"])
    versions = {"sentenceTransformers": sentence_transformers.__version__, "torch": torch.__version__}
    print(json.dumps({"losses": values, **result, "seconds": round(time.perf_counter() - start, 1), "versions": versions}))


if __name__ == "__main__":
    main()
