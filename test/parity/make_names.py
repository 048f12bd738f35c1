"""Names that sentence-transformers exports, for test/parity/page.test.ts: each has a row in docs/parity.md.

Run with sentence-transformers 6.2.0: `python test/parity/make_names.py`.
"""

import importlib
import json
from pathlib import Path

import sentence_transformers
import torch
import transformers
from sentence_transformers.base.training_args import BatchSamplers, MultiDatasetBatchSamplers

MODULES = {
    "losses": "sentence_transformer.losses",
    "crossEncoderLosses": "cross_encoder.losses",
    "sparseLosses": "sparse_encoder.losses",
    "multiVectorLosses": "multi_vector_encoder.losses",
    "evaluation": "sentence_transformer.evaluation",
    "crossEncoderEvaluation": "cross_encoder.evaluation",
    "sparseEvaluation": "sparse_encoder.evaluation",
    "multiVectorEvaluation": "multi_vector_encoder.evaluation",
    "datasets": "sentence_transformer.datasets",
    "readers": "sentence_transformer.readers",
    "util": "util",
}
names = {key: sorted(importlib.import_module(f"sentence_transformers.{path}").__all__) for key, path in MODULES.items()}
names["samplers"] = [*(sampler.value for sampler in BatchSamplers), *(sampler.value for sampler in MultiDatasetBatchSamplers)]
versions = {
    "sentence-transformers": sentence_transformers.__version__,
    "transformers": transformers.__version__,
    "torch": torch.__version__,
}
content = json.dumps({"versions": versions, **names}, indent=1)
(Path(__file__).parent / "golden" / "names.json").write_text(content + "\n")
