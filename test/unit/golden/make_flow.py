"""Makes flow.json beside this file: lengths, learning rates, losses and events of real runs of sentence-transformers' trainer.

Needs sentence-transformers 6.2.0 and datasets. Run: python test/unit/golden/make_flow.py
"""

import json
import pathlib
import tempfile

import datasets
import sentence_transformers
import tokenizers
import torch
import transformers
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

HERE = pathlib.Path(__file__).parent
VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "a": 5, "b": 6}


def tiny_model(folder):
    config = transformers.BertConfig(
        vocab_size=10, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    transformers.BertModel(config).save_pretrained(folder)
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    transformers.BertTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    transformer = Transformer(folder)
    return SentenceTransformer(modules=[transformer, Pooling(8)])


class Recorder(transformers.TrainerCallback):
    def __init__(self):
        self.events = []

    def note(self, name, state):
        self.events.append([name, state.global_step])

    def on_train_begin(self, args, state, control, **kwargs):
        self.note("onTrainBegin", state)

    def on_epoch_begin(self, args, state, control, **kwargs):
        self.note("onEpochBegin", state)

    def on_step_end(self, args, state, control, **kwargs):
        self.note("onStepEnd", state)

    def on_epoch_end(self, args, state, control, **kwargs):
        self.note("onEpochEnd", state)

    def on_log(self, args, state, control, **kwargs):
        self.note("onLog", state)

    def on_evaluate(self, args, state, control, **kwargs):
        self.note("onEvaluate", state)

    def on_save(self, args, state, control, **kwargs):
        self.note("onSave", state)

    def on_train_end(self, args, state, control, **kwargs):
        self.note("onTrainEnd", state)


class NumberedLoss(torch.nn.Module):
    """The number of the training batch, from 1, so that the log shows how it averages."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.batches = 0

    def forward(self, features, labels):
        self.batches += self.model.training
        return self.batches + 0 * self.model(features[0])["sentence_embedding"].sum()


def run(model, rows, args, often=1):
    """`often`: how many rows have the first row's anchor."""
    texts = {"anchor": [f"a{max(i, often - 1)}" for i in range(rows)], "positive": [f"b{i}" for i in range(rows)]}
    data = datasets.Dataset.from_dict(texts)
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as folder:
        trainer = SentenceTransformerTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(
                output_dir=folder, use_cpu=True, disable_tqdm=True, report_to="none", **args
            ),
            train_dataset=data,
            eval_dataset=data,
            loss=NumberedLoss(model),
            callbacks=[recorder],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        result = trainer.train()
    logs = trainer.state.log_history
    return {
        "rows": rows,
        "often": often,
        "args": {camel(name): value for name, value in args.items()},
        "globalStep": result.global_step,
        "maxSteps": trainer.state.max_steps,
        "numTrainEpochs": trainer.state.num_train_epochs,
        "epoch": result.metrics["epoch"],
        "events": recorder.events,
        "logged": [[log["step"], log["epoch"], log["learning_rate"], log["loss"]] for log in logs if "learning_rate" in log],
        "trainLoss": result.training_loss,
        "evaluated": [[log["step"], log["epoch"]] for log in logs if "eval_loss" in log],
    }


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def main():
    step = {"logging_steps": 2, "eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps", "save_steps": 3}
    epoch = {"logging_strategy": "epoch", "eval_strategy": "epoch", "save_strategy": "epoch"}
    configurations = [
        (10, {"per_device_train_batch_size": 2, "num_train_epochs": 1, **step}),
        (10, {"per_device_train_batch_size": 3, "num_train_epochs": 2, "gradient_accumulation_steps": 3, **step}),
        (9, {"per_device_train_batch_size": 2, "num_train_epochs": 1.5, "warmup_steps": 0.3, **step}),
        (9, {"per_device_train_batch_size": 2, "num_train_epochs": 2, "dataloader_drop_last": True, **epoch}),
        (6, {"per_device_train_batch_size": 2, "max_steps": 7, "lr_scheduler_type": "cosine", "warmup_steps": 2, **epoch}),
        (8, {"per_device_train_batch_size": 2, "num_train_epochs": 1, "logging_first_step": True, "logging_steps": 0.5,
             "save_strategy": "no"}),
        # The last step of a pass has fewer batches than the others.
        (11, {"per_device_train_batch_size": 2, "num_train_epochs": 2.5, "dataloader_drop_last": True,
              "gradient_accumulation_steps": 4, **step}),
        # A pass fills four batches of the five that are announced.
        (20, {"per_device_train_batch_size": 4, "num_train_epochs": 2, "dataloader_drop_last": True,
              "batch_sampler": "no_duplicates", **step}, 6),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        model = tiny_model(folder)
        runs = [run(model, *configuration) for configuration in configurations]
    versions = {"sentence-transformers": sentence_transformers.__version__, "transformers": transformers.__version__}
    (HERE / "flow.json").write_text(json.dumps({"versions": versions, "runs": runs}))


main()
