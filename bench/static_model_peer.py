"""The other side of static-model.mjs: one measurement of model2vec or of sentence-transformers. One JSON line on stdout."""

import contextlib
import json
import sys
import tempfile
import time
from importlib.metadata import version


def timed(work):
    start, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}


job = json.load(open(sys.argv[1], encoding="utf-8"))
if "texts" in job:
    from model2vec import StaticModel

    model = StaticModel.from_pretrained(job["folder"], normalize=True)
    model.encode(job["texts"][: len(job["texts"]) // 10])
    rows, times = timed(lambda: model.encode(job["texts"], use_multiprocessing="--alone" not in sys.argv))
    result = {**times, "first": rows[0, :8].tolist(), "versions": {"model2vec": version("model2vec")}}
else:
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer import losses

    model = SentenceTransformer(job["folder"], device="cpu")
    dataset = Dataset.from_dict(job["pairs"])

    def run(steps):
        loss = losses.MatryoshkaLoss(model, losses.MultipleNegativesRankingLoss(model, scale=20), job["dims"])
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
            trainer = SentenceTransformerTrainer(
                model=model,
                train_dataset=dataset,
                loss=loss,
                args=SentenceTransformerTrainingArguments(
                    output_dir=folder, per_device_train_batch_size=256, learning_rate=1e-2, max_steps=steps, batch_sampler="no_duplicates",
                    save_strategy="no", report_to="none", use_cpu=True, disable_tqdm=True,
                ),
            )
            return timed(trainer.train)[1]

    run(3)
    result = run(job["steps"])
    result["versions"] = {name: version(name) for name in ("sentence-transformers", "torch")}
print(json.dumps(result))
