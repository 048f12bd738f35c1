"""Golden values of the losses and of training of cross-encoders, from sentence-transformers itself.

    OMP_NUM_THREADS=1 python test/parity/make_cross_encoder_training.py

The models are those of golden/cross-encoder, without dropout. Each case of `losses` is one forward and backward pass of a
loss, in float64; kept are its value, the norm of every tensor's gradient and the whole gradient of the classifier. Each case
of `training` is CrossEncoderTrainer over the rows in their order, and the loss of each step.
"""

import json
import random
import shutil
import tempfile
from pathlib import Path

import torch
from datasets import Dataset
from sentence_transformers import CrossEncoder
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments, losses
from torch.utils.data import SequentialSampler

from make_cross_encoder import OUT, WORDS

torch.set_num_threads(1)
random.seed(5)
PLAIN = [word for word in WORDS.split() if word.isalpha()]
FOLDERS = {}


def text(least=1, most=9):
    return " ".join(random.choice(PLAIN) for _ in range(random.randint(least, most)))


def model_of(labels, dtype=torch.float32):
    """The model without dropout."""
    folder = FOLDERS[labels]
    model = CrossEncoder(folder, device="cpu", max_length=40)
    return model.to(dtype)


def rows(count, columns, label=None):
    data = {f"text{c}": [text() for _ in range(count)] for c in range(columns)}
    if label is not None:
        data["label"] = [label(i) for i in range(count)]
    return data


def listwise(count, labels=lambda n: [random.choice([0, 1, 1, 2, 3]) for _ in range(n)]):
    sizes = [random.randint(1, 5) for _ in range(count)]
    sizes[0] = 5
    graded = [sorted((float(x) for x in labels(n)), reverse=True) for n in sizes]
    graded[0] = [3.0, 2.0, 1.0, 1.0, 0.0]
    return {"query": [text() for _ in range(count)], "documents": [[text() for _ in range(n)] for n in sizes], "labels": graded}


ACTIVATIONS = {"tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "identity": torch.nn.Identity}
L = losses.lambda_loss
SCHEMES = {"NoWeighting": L.NoWeightingScheme, "NDCGLoss1": L.NDCGLoss1Scheme, "NDCGLoss2": L.NDCGLoss2Scheme,
           "LambdaRank": L.LambdaRankScheme, "NDCGLoss2PP": L.NDCGLoss2PPScheme}


def make(model, name, options):
    given = {}
    for key, value in options.items():
        snake = "".join("_" + c.lower() if c.isupper() else c for c in key)
        if key == "activationFn":
            value = ACTIVATIONS[value]()
        elif key == "posWeight":
            value = torch.tensor(value, dtype=torch.float64)
        elif key == "weight":
            value = torch.tensor(value, dtype=torch.float64)
        elif key == "weightingScheme":
            value = SCHEMES[value](mu=options["mu"]) if "mu" in options else SCHEMES[value]()
        elif key == "mu":
            continue
        given[snake] = value
    if "lambda_weight" in given and given["lambda_weight"] is False:
        given["lambda_weight"] = None
    return getattr(losses, name)(model, **given)


def batch_labels(data):
    labels = data.get("label", data.get("labels"))
    if labels is None:
        return None
    return [torch.tensor(row) for row in labels] if isinstance(labels[0], list) else torch.tensor(labels)


class Float64Tensor:
    """The losses make float32 tables and labels; here they are to be float64."""

    def __enter__(self):
        self.full, self.float = torch.full, torch.Tensor.float
        torch.full = lambda *args, **kwargs: self.full(*args, **{"dtype": torch.float64, **kwargs})
        torch.Tensor.float = torch.Tensor.double

    def __exit__(self, *args):
        torch.full, torch.Tensor.float = self.full, self.float


def loss_case(name, options, data, labels=1):
    model = model_of(labels, torch.float64)
    loss = make(model, name, options)
    columns = [values for key, values in data.items() if key not in ("label", "labels")]
    entry = dict(loss=name, options=options, data=data, numLabels=labels)
    if hasattr(loss, "get_in_batch_negatives"):
        torch.manual_seed(3)
        drawn = list(loss.get_in_batch_negatives(columns[0], columns[1:]))
        entry["negatives"] = drawn
        loss.get_in_batch_negatives = lambda *_: drawn
    model.zero_grad()
    targets = batch_labels(data)
    if name == "CrossEntropyLoss" and isinstance(targets, list):
        targets = torch.stack(targets).double()
    with Float64Tensor():
        value = loss(columns, targets)
    value.backward()
    value = value.item()
    gradients = {key.split("model.", 1)[1]: parameter.grad for key, parameter in model.named_parameters()}
    entry["value"] = value
    entry["norms"] = {key: grad.norm().item() for key, grad in gradients.items()}
    entry["classifier"] = gradients["classifier.weight"].flatten().tolist()
    return entry


def loss_cases():
    binary, score = (lambda i: float(i % 3 == 0)), (lambda i: random.random() * 4 - 1)
    pairs, scored = rows(7, 2, binary), rows(6, 2, score)
    yield loss_case("BinaryCrossEntropyLoss", {}, pairs)
    yield loss_case("BinaryCrossEntropyLoss", {}, rows(1, 2, lambda i: 0.25))
    yield loss_case("BinaryCrossEntropyLoss", {"posWeight": 2.5, "activationFn": "tanh"}, pairs)
    classes = rows(8, 2, lambda i: (2 * i + 1) % 3)
    yield loss_case("CrossEntropyLoss", {}, classes, 3)
    yield loss_case("CrossEntropyLoss", {"weight": [1.0, 3.0, 0.5], "labelSmoothing": 0.1}, classes, 3)
    yield loss_case("MSELoss", {}, scored)
    yield loss_case("MSELoss", {"activationFn": "sigmoid"}, scored)
    yield loss_case("MarginMSELoss", {}, rows(5, 3, score))
    yield loss_case("MarginMSELoss", {}, rows(5, 5, lambda i: [random.random() for _ in range(3)]))
    yield loss_case("MarginMSELoss", {"activationFn": "tanh"}, rows(5, 5, lambda i: [random.random() for _ in range(4)]))
    yield loss_case("MultipleNegativesRankingLoss", {}, rows(8, 2))
    yield loss_case("MultipleNegativesRankingLoss", {"numNegatives": 3, "scale": 5}, rows(5, 4))
    yield loss_case("MultipleNegativesRankingLoss", {"numNegatives": None, "activationFn": "identity"}, rows(3, 3))
    yield loss_case("MultipleNegativesRankingLoss", {}, rows(1, 2))
    lists = listwise(6)
    for scheme in SCHEMES:
        yield loss_case("LambdaLoss", {"weightingScheme": scheme}, lists)
    yield loss_case("LambdaLoss", {}, listwise(3))
    yield loss_case("LambdaLoss", {"weightingScheme": "NDCGLoss2PP", "mu": 2, "k": 2, "sigma": 0.5, "eps": 1e-4,
                                   "reductionLog": "natural", "activationFn": "tanh"}, lists)
    yield loss_case("LambdaLoss", {"weightingScheme": "NDCGLoss1", "k": 3}, lists)
    yield loss_case("RankNetLoss", {}, lists)
    yield loss_case("RankNetLoss", {"k": 3, "sigma": 2, "reductionLog": "natural"}, lists)
    yield loss_case("ListNetLoss", {}, lists)
    yield loss_case("ListNetLoss", {"activationFn": "sigmoid", "miniBatchSize": 3}, lists)
    distinct = listwise(5, lambda n: random.sample(range(6), n))
    random.shuffle(distinct["documents"][0])
    for name in ("ListMLELoss", "PListMLELoss"):
        yield loss_case(name, {}, distinct)
        unsorted = {**distinct, "labels": [row[1:] + row[:1] for row in distinct["labels"]]}
        unsorted["labels"][0] = [2.0, 5.0, 0.0, 1.0, 4.0]
        yield loss_case(name, {"respectInputOrder": False, "activationFn": "tanh"}, unsorted)
    yield loss_case("PListMLELoss", {"lambdaWeight": False}, distinct)
    yield loss_case("ADRMSELoss", {}, lists)
    yield loss_case("ADRMSELoss", {"alpha": 3}, distinct)


def more_loss_cases():
    """Leaves the random numbers of what follows as they are."""
    state = random.getstate()
    random.seed(6)
    lists = listwise(4)
    yield loss_case("LambdaLoss", {"k": 1}, lists)
    yield loss_case("LambdaLoss", {"k": 2, "weightingScheme": "NoWeighting"}, lists)
    yield loss_case("RankNetLoss", {"k": 1}, lists)
    # Scores so far apart that a sigmoid of their differences is 0 in float32.
    yield loss_case("LambdaLoss", {"sigma": 3000}, lists)
    yield loss_case("RankNetLoss", {"sigma": 3000, "reductionLog": "natural"}, lists)
    # So long a list that the weights do not fit into float32, and one of a single document.
    documents = [[text(1, 2) for _ in range(140)], [text()]]
    long = {"query": [text(), text()], "documents": documents, "labels": [[float(140 - i) for i in range(140)], [1.0]]}
    yield loss_case("PListMLELoss", {}, long)
    yield loss_case("ListMLELoss", {}, long)
    distributions = rows(6, 2, lambda i: [0.125 * i, 0.125, 0.875 - 0.125 * i])
    yield loss_case("CrossEntropyLoss", {}, distributions, 3)
    yield loss_case("CrossEntropyLoss", {"weight": [1.0, 3.0, 0.5], "labelSmoothing": 0.1}, distributions, 3)
    random.setstate(state)


class Recorded(CrossEncoderTrainer):
    def compute_loss(self, *args, **kwargs):
        loss = super().compute_loss(*args, **kwargs)
        self.values.append(loss.item())
        return loss


def in_order(dataset, batch_size, drop_last, **kwargs):
    return DefaultBatchSampler(SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last)


# A number added to all scores changes nothing for these: what the classifier's bias gets as a gradient is rounding, and
# Adam walks along it. Here it gets none.
NO_BIAS = ("MarginMSELoss", "LambdaLoss")


def training_case(name, options, data, labels=1, **arguments):
    model = model_of(labels)
    if name in NO_BIAS:
        dict(model.named_parameters())["0.model.classifier.bias"].requires_grad_(False)
    with tempfile.TemporaryDirectory() as folder:
        args = CrossEncoderTrainingArguments(
            output_dir=folder, max_steps=20, per_device_train_batch_size=4, learning_rate=2e-3, save_strategy="no",
            report_to="none", use_cpu=True, disable_tqdm=True, batch_sampler=in_order, warmup_steps=3, **arguments)
        trainer = Recorded(model=model, args=args, train_dataset=Dataset.from_dict(data),
                           loss=make(model, name, options) if name else None)
        trainer.values = []
        trainer.train()
    pairs = [["the man plays a guitar", "a big dog"], ["run", "the woman runs on the field"]]
    return dict(loss=name, options=options, data=data, numLabels=labels, losses=trainer.values, arguments=arguments,
                pairs=pairs, predictions=model.predict(pairs).flatten().tolist())


def training_cases():
    yield training_case(None, {}, rows(36, 2, lambda i: float(i % 3 == 0)), weight_decay=0.1)
    yield training_case(None, {}, rows(36, 2, lambda i: i % 3), 3)
    yield training_case("MultipleNegativesRankingLoss", {"numNegatives": None}, rows(36, 3))
    yield training_case("MarginMSELoss", {}, rows(36, 4, lambda i: [random.random(), random.random()]))
    yield training_case("LambdaLoss", {}, listwise(36))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name, labels in (("one", 1), ("three", 3)):
            FOLDERS[labels] = str(Path(folder) / name)
            shutil.copytree(OUT / name, FOLDERS[labels])
            config = Path(folder) / name / "config.json"
            changes = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
            config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
        golden = dict(losses=[*loss_cases(), *more_loss_cases()], training=list(training_cases()))
    (OUT.parent / "cross-encoder-training.json").write_text(json.dumps(golden) + "\n")
