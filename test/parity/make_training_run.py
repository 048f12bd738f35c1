"""Makes golden/training-run.json: a run of sentence-transformers' trainer with two datasets, a loss for each, prompts,
accumulation, groups of parameters and a schedule, on all-MiniLM-L6-v2 without dropout.

Run: python test/parity/make_training_run.py <folder of all-MiniLM-L6-v2>

Under sentence-transformers 6.0.1 it makes training-run-st-6.0.1.json, with clipping, which the argument `compat` imitates.
Under later versions gradients are not clipped: they leave out the parameters of losses, which is not imitated.
"""

import json
import pathlib
import re
import sys
import tempfile

import sentence_transformers
import torch
from datasets import Dataset, DatasetDict
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer import losses
from torch.utils.data import SequentialSampler
from transformers import TrainerCallback

torch.set_num_threads(1)
torch.manual_seed(0)
HERE = pathlib.Path(__file__).parent
OLD = sentence_transformers.__version__ == "6.0.1"
words = "red blue green old new big small fast slow warm cold dark light loud quiet round flat soft hard sweet sour wet dry long".split()
ranking = {"question": [f"What is {word}?" for word in words], "answer": [f"It is as {word} as a {words[-i]}." for i, word in enumerate(words)]}
classes = {"a": [f"A {word} thing" for word in words], "b": [f"Some {words[i * 5 % 24]} stuff" for i in range(24)], "label": [i % 3 for i in range(24)]}

args = {
    "maxSteps": 6,
    "perDeviceTrainBatchSize": 4,
    "gradientAccumulationSteps": 2,
    "multiDatasetBatchSampler": "round_robin",
    "learningRate": 1e-4,
    "learningRateMapping": {"layer\\.5\\.": 3e-4, "^classes\\.classifier": 1e-3},
    "lrSchedulerType": "cosine_with_restarts",
    "lrSchedulerKwargs": {"numCycles": 2},
    "warmupSteps": 2,
    "weightDecay": 0.1,
    "maxGradNorm": 0.5 if OLD else 1e9,
    "prompts": {"ranking": {"question": "query: "}, "classes": "text: "},
    "loggingSteps": 1,
    "saveStrategy": "no",
}


def snake(value):
    if not isinstance(value, str):
        return value
    return re.sub("([A-Z])", lambda found: "_" + found[1].lower(), value)


class Recorder(TrainerCallback):
    records = []

    def on_log(self, _args, state, control, logs, **kwargs):
        if "loss" in logs:
            self.records.append({key: logs[key] for key in ["loss", "grad_norm", "learning_rate", "epoch"]})


model = SentenceTransformer(
    sys.argv[1], device="cpu", config_kwargs={"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
)
softmax = losses.SoftmaxLoss(model, model.get_embedding_dimension(), 3)
with torch.no_grad():
    count = softmax.classifier.weight.numel()
    softmax.classifier.weight.copy_((torch.arange(count, dtype=torch.float64).sin() / 20).reshape(3, -1))
    softmax.classifier.bias.zero_()
python_args = {snake(key): value for key, value in args.items()}
python_args["lr_scheduler_kwargs"] = {"num_cycles": 2}
trainer = SentenceTransformerTrainer(
    model=model,
    args=SentenceTransformerTrainingArguments(
        output_dir=tempfile.mkdtemp(),
        use_cpu=True,
        disable_tqdm=True,
        batch_sampler=lambda dataset, batch_size, drop_last, **kwargs: DefaultBatchSampler(
            SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last
        ),
        **python_args,
    ),
    train_dataset=DatasetDict({"ranking": Dataset.from_dict(ranking), "classes": Dataset.from_dict(classes)}),
    loss={"ranking": losses.MultipleNegativesRankingLoss(model), "classes": softmax},
    callbacks=[Recorder()],
)
trainer.train()
texts = words[:4]
(HERE / "golden" / ("training-run-st-6.0.1.json" if OLD else "training-run.json")).write_text(
    json.dumps(
        {
            "sentenceTransformers": sentence_transformers.__version__,
            "args": args,
            "data": {"ranking": ranking, "classes": classes},
            "records": Recorder.records,
            "classifier": softmax.classifier.weight.detach().flatten()[:50].tolist(),
            "texts": texts,
            "embeddings": [row[:8].tolist() for row in model.encode(texts)],
        },
        indent=1,
    )
)
