"""Model cards of small runs, for test/parity/model-cards.test.ts, as sentence-transformers writes them.

    OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 python test/parity/make_model_cards.py

The runs are those of the test: tiny models of golden/ and the rows of `ROWS`. Beside the cards
stand the citations of all losses, of which lib/models/card/citations.ts is made.
"""

import inspect
import json
import re
import tempfile
from pathlib import Path

import torch
from datasets import Dataset
from sentence_transformers import (
    CrossEncoder,
    CrossEncoderTrainer,
    CrossEncoderTrainingArguments,
    MultiVectorEncoder,
    MultiVectorEncoderTrainer,
    MultiVectorEncoderTrainingArguments,
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
    SparseEncoder,
    SparseEncoderTrainer,
    SparseEncoderTrainingArguments,
)
from sentence_transformers.cross_encoder import losses as ce_losses
from sentence_transformers.multi_vector_encoder import losses as multi_vector_losses
from sentence_transformers.multi_vector_encoder.evaluation import MultiVectorInformationRetrievalEvaluator
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator
from sentence_transformers.sparse_encoder import losses as sparse_losses
from sentence_transformers.sparse_encoder.evaluation import SparseEmbeddingSimilarityEvaluator

torch.set_num_threads(1)
GOLDEN = Path(__file__).parent / "golden"
OUT = GOLDEN / "model-card"

TEXTS = ["a man plays the flute", "a plane takes off | fast", "a woman eats\nfood", "the weather is nice", "it is `sunny`", "he <b>runs</b>"]
ROWS = {
    "sentence1": [TEXTS[i % 6] for i in range(12)],
    "sentence2": [TEXTS[(i * 5 + 1) % 6] for i in range(12)],
    "score": [round((i % 6) / 5, 2) for i in range(12)],
}
PAIRS = {"query": ROWS["sentence1"], "answer": ROWS["sentence2"], "label": [i % 2 for i in range(12)]}
LABELS = {"label": "int"}


QUESTIONS = {"question": ROWS["sentence1"], "passage": ROWS["sentence2"]}


def arguments(kind, folder, **more):
    return kind(
        output_dir=folder,
        num_train_epochs=2,
        per_device_train_batch_size=4,
        learning_rate=1e-4,
        warmup_steps=0.1,
        logging_steps=2,
        eval_strategy="steps",
        eval_steps=3,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        seed=7,
        **more,
    )


def card_of(model, trainer, folder):
    trainer.train()
    model.save_pretrained(folder)
    return (Path(folder) / "README.md").read_text()


def sentence_transformer(folder):
    model = SentenceTransformer(str(GOLDEN / "merging" / "one"), device="cpu")
    data = Dataset.from_dict(ROWS)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments(SentenceTransformerTrainingArguments, folder),
        train_dataset=data,
        eval_dataset=data.select(range(6)),
        loss=losses.CoSENTLoss(model),
        evaluator=EmbeddingSimilarityEvaluator(ROWS["sentence1"], ROWS["sentence2"], ROWS["score"], name="sts-dev"),
    )
    return card_of(model, trainer, folder)


def cross_encoder(folder):
    model = CrossEncoder(str(GOLDEN / "cross-encoder" / "one"), device="cpu")
    data = Dataset.from_dict(PAIRS)
    trainer = CrossEncoderTrainer(
        model=model,
        args=arguments(CrossEncoderTrainingArguments, folder),
        train_dataset=data,
        eval_dataset=data.select(range(6)),
        loss=ce_losses.BinaryCrossEntropyLoss(model),
    )
    return card_of(model, trainer, folder)


def sparse_encoder(model_folder, **more):
    def make(folder):
        model = SparseEncoder(str(GOLDEN / model_folder), device="cpu")
        data = Dataset.from_dict(QUESTIONS)
        trainer = SparseEncoderTrainer(
            model=model,
            args=arguments(SparseEncoderTrainingArguments, folder, **more),
            train_dataset=data,
            eval_dataset=data.select(range(6)),
            loss=sparse_losses.SpladeLoss(
                model,
                sparse_losses.SparseMultipleNegativesRankingLoss(model),
                document_regularizer_weight=3e-3,
                query_regularizer_weight=5e-3,
                document_regularizer_threshold=4,
            ),
            evaluator=SparseEmbeddingSimilarityEvaluator(ROWS["sentence1"], ROWS["sentence2"], ROWS["score"], name="sts-dev"),
        )
        return card_of(model, trainer, folder)

    return make


def multi_vector_encoder(folder):
    model = MultiVectorEncoder(str(GOLDEN / "multi-vector-losses" / "model"), device="cpu")
    data = Dataset.from_dict(QUESTIONS)
    texts = {str(i): text for i, text in enumerate(TEXTS)}
    trainer = MultiVectorEncoderTrainer(
        model=model,
        args=arguments(MultiVectorEncoderTrainingArguments, folder),
        train_dataset=data,
        eval_dataset=data.select(range(6)),
        loss=multi_vector_losses.MultiVectorMultipleNegativesRankingLoss(model),
        evaluator=MultiVectorInformationRetrievalEvaluator(texts, texts, {key: {key} for key in texts}, name="same"),
    )
    return card_of(model, trainer, folder)


def citations():
    found = {}
    for module in (losses, ce_losses, sparse_losses, multi_vector_losses):
        for name, kind in inspect.getmembers(module, inspect.isclass):
            try:
                found[name] = kind.citation.fget(object.__new__(kind)).strip()
            except AttributeError:
                pass
    return found


def ranking_citations():
    """Of the loss whose citation depends on its options."""
    model = SentenceTransformer(str(GOLDEN / "merging" / "one"), device="cpu")
    all_directions = ["query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"]
    cases = [
        (["query_to_doc"], "joint"),
        (["query_to_doc", "doc_to_query"], "joint"),
        (["doc_to_query", "query_to_doc"], "per_direction"),
        (all_directions[::-1], "joint"),
        (all_directions[:3], "joint"),
    ]
    found = []
    for directions, mode in cases:
        loss = losses.MultipleNegativesRankingLoss(model, directions=tuple(directions), partition_mode=mode)
        found.append({"directions": directions, "partitionMode": mode, "citation": loss.citation.strip()})
    symmetric = losses.MultipleNegativesSymmetricRankingLoss(model).citation.strip()
    return {"MultipleNegativesRankingLoss": found, "MultipleNegativesSymmetricRankingLoss": symmetric}


OUT.mkdir(exist_ok=True)
(OUT / "ranking-citations.json").write_text(json.dumps(ranking_citations(), indent=1, ensure_ascii=False) + "\n")
CARDS = {
    "sentence-transformer": sentence_transformer,
    "cross-encoder": cross_encoder,
    "sparse-encoder": sparse_encoder("sparse/bert"),
    "sparse-router": sparse_encoder("sparse-router/learned", router_mapping={"question": "query", "passage": "document"}),
    "multi-vector-encoder": multi_vector_encoder,
}
for name, make in CARDS.items():
    with tempfile.TemporaryDirectory() as folder:
        text = make(folder)
    (OUT / f"{name}.md").write_text(text.replace(str(GOLDEN), "golden"))
(OUT / "rows.json").write_text(json.dumps({"rows": ROWS, "pairs": PAIRS}, separators=(",", ":")) + "\n")
(OUT / "citations.json").write_text(json.dumps(citations(), indent=1, sort_keys=True) + "\n")
