"""One encoding trial of fastembed (onnxruntime in Python) with the ONNX file of transformers.js: same texts and batch size."""

import time
from importlib.metadata import version

import numpy as np
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
from machine import arguments, latencies, peak_rss_mb, say


def main():
    options = arguments()
    texts = options.columns["texts"]
    TextEmbedding.add_custom_model(
        model="local", pooling=PoolingType.MEAN, normalization=True, sources=ModelSource(url="http://localhost"), dim=384,
        model_file="onnx/model.onnx")
    model = TextEmbedding("local", specific_model_path=options.model, threads=options.threads or None)

    def encode(some):
        order = sorted(range(len(some)), key=lambda i: -len(some[i]))
        found = np.array(list(model.embed([some[i] for i in order], batch_size=options.batch_size)), dtype=np.float32)
        return found[np.argsort(order)]

    if options.each == "true":
        found = latencies(texts, options.warm_up, lambda text: encode([text]))
    else:
        encode(texts[: options.warm_up])
        start = time.perf_counter()
        embeddings = encode(texts)
        found = {"perSecond": len(texts) / (time.perf_counter() - start), "texts": len(texts), "batchSize": options.batch_size}
        if options.out:
            embeddings.tofile(options.out)
    say({**found, "threads": options.threads or "its own choice", "peakRssMB": peak_rss_mb(),
         "versions": {name: version(name) for name in ("fastembed", "onnxruntime")}})


if __name__ == "__main__":
    main()
