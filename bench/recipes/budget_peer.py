"""Settings found by Optuna within a time, with sentence-transformers: the counterpart of budget.mjs. One JSON line on stdout.

    python bench/recipes/budget_peer.py JOB.json

The job: model, columns, losses, kind (scores, pairs, classes), seconds (with cpuTime of the processor), seed, output (the folder for the
best model). TPE proposes loss, learning
rate, batch size and epochs; a training is measured five times on dev, and pruned where the median of earlier ones was better (Optuna's
defaults, without start-up trials). The best model of all finished or stopped trainings is saved.
"""

import json
import logging
import random
import sys
import tempfile
import time

import optuna
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.evaluation import (
    EmbeddingSimilarityEvaluator,
    InformationRetrievalEvaluator,
    TripletEvaluator,
)
from transformers import TrainerCallback

SAMPLERS = {"scores": "batch_sampler", "pairs": "no_duplicates", "classes": "group_by_label"}
BATCHES = {"pairs": [16, 32, 64, 128]}


def split(columns, seed):
    rows = list(zip(*columns.values()))
    random.Random(seed).shuffle(rows)
    cut = len(rows) // 5
    return rows[cut:], rows[:cut]


def evaluator(kind, dev, train, seed):
    if kind == "scores":
        return EmbeddingSimilarityEvaluator(*map(list, zip(*dev)), name="dev", write_csv=False)
    if kind == "pairs":
        texts = list(dict.fromkeys([row[1] for row in dev] + [row[1] for row in train[:2000]]))
        ids = {text: str(i) for i, text in enumerate(texts)}
        relevant = {str(i): {ids[row[1]]} for i, row in enumerate(dev)}
        queries = {str(i): row[0] for i, row in enumerate(dev)}
        return InformationRetrievalEvaluator(queries, {i: text for text, i in ids.items()}, relevant, name="dev", write_csv=False)
    draw = random.Random(seed)
    by_label = {}
    for text, label in dev:
        by_label.setdefault(label, []).append(text)
    triplets = []
    for text, label in dev:
        others = [one for one in by_label[label] if one != text]
        if others:
            triplets.append((text, draw.choice(others), draw.choice([one for one, other in dev if other != label])))
    return TripletEvaluator(*map(list, zip(*triplets)), name="dev", write_csv=False)


class Watch(TrainerCallback):
    """Tells Optuna of every evaluation; ends a training that it prunes, and all when the time is over."""

    def __init__(self, trial, key, clock, deadline):
        self.trial, self.key, self.clock, self.deadline = trial, key, clock, deadline

    def on_evaluate(self, args, state, control, metrics=None, **rest):
        self.trial.report(metrics[f"eval_{self.key}"], state.global_step)
        control.should_training_stop = control.should_training_stop or self.trial.should_prune()

    def on_step_end(self, args, state, control, **rest):
        if self.clock() > self.deadline:
            control.should_training_stop = True


def main():
    job = json.load(open(sys.argv[1], encoding="utf-8"))
    logging.disable(logging.WARNING)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    clock = time.process_time if job.get("cpuTime") else time.perf_counter
    start = clock()
    # The time of a last evaluation and of saving belongs to the budget.
    deadline = start + 0.95 * job["seconds"]
    kind, seed = job["kind"], job["seed"]
    columns = dict(job["columns"])
    if kind == "scores":
        name = list(columns)[2]
        columns[name] = [float(value) / 5 for value in columns[name]]
    train, dev = split(columns, seed)
    measure = evaluator(kind, dev, train, seed)
    dataset = Dataset.from_dict({name: list(values) for name, values in zip(columns, zip(*train))})
    best = {"score": float("-inf")}

    def objective(trial):
        loss_name = trial.suggest_categorical("loss", job["losses"])
        rate = trial.suggest_float("learning_rate", 1e-5, 2e-4, log=True)
        batch = trial.suggest_categorical("batch", BATCHES.get(kind, [16, 32, 64]))
        epochs = trial.suggest_categorical("epochs", [1, 2, 4, 8])
        torch.manual_seed(seed)
        model = SentenceTransformer(job["model"], device="cpu")
        steps = epochs * -(-len(train) // batch)
        with tempfile.TemporaryDirectory() as folder:
            SentenceTransformerTrainer(
                model=model,
                train_dataset=dataset,
                loss=getattr(losses, loss_name)(model),
                evaluator=measure,
                callbacks=[Watch(trial, measure.primary_metric or "dev_spearman_cosine", clock, deadline)],
                args=SentenceTransformerTrainingArguments(
                    output_dir=folder, num_train_epochs=epochs, per_device_train_batch_size=batch, learning_rate=rate,
                    warmup_steps=0.1, eval_strategy="steps", eval_steps=max(1, steps // 5), save_strategy="no", use_cpu=True,
                    disable_tqdm=True, report_to="none", seed=seed, batch_sampler=SAMPLERS[kind],
                ),
            ).train()
        score = measure(model)[measure.primary_metric]
        if score > best["score"]:
            best.update(score=score, params=trial.params)
            model.save(job["output"])
        return score

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0),
    )
    measure(SentenceTransformer(job["model"], device="cpu"))  # sets primary_metric
    while not study.trials or clock() < deadline:
        study.optimize(objective, n_trials=1)
    print(json.dumps({
        "model": job["output"], "trials": len(study.trials), "dev": best["score"], "params": best["params"],
        "seconds": round(clock() - start, 1), "optuna": optuna.__version__,
    }))


if __name__ == "__main__":
    main()
