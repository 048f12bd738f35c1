"""The peer of bench/serve.mjs: sentence-transformers or fastembed behind FastAPI, with a queue that forms batches of what waits.

    python bench/serve_peer.py ENGINE MODEL        prints its address

needs fastapi, uvicorn, and what ENGINE names: sentence-transformers, or fastembed, for which MODEL is a folder with onnx/model.onnx.
"""

import asyncio
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

MOST = 64


def sentence_transformers(folder: str):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")
    return lambda texts: model.encode(texts, batch_size=MOST, normalize_embeddings=True, show_progress_bar=False).tolist()


def fastembed(folder: str):
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    TextEmbedding.add_custom_model(
        model="local", pooling=PoolingType.MEAN, normalization=True, sources=ModelSource(url="http://localhost"), dim=384,
        model_file="onnx/model.onnx")  # fmt: skip
    model = TextEmbedding("local", specific_model_path=folder)
    return lambda texts: [row.tolist() for row in model.embed(texts, batch_size=MOST)]


ENGINES = {"sentence-transformers": sentence_transformers, "fastembed": fastembed}
encode = ENGINES[sys.argv[1]](sys.argv[2])
waiting: asyncio.Queue = asyncio.Queue()
# One thread computes, while the loop reads requests.
executor = ThreadPoolExecutor(1)


class Body(BaseModel):
    inputs: str


async def form_batches() -> None:
    loop = asyncio.get_running_loop()
    while True:
        batch = [await waiting.get()]
        while not waiting.empty() and len(batch) < MOST:
            batch.append(waiting.get_nowait())
        rows = await loop.run_in_executor(executor, encode, [text for text, _ in batch])
        for (_, future), row in zip(batch, rows):
            if not future.done():
                future.set_result(row)


@asynccontextmanager
async def lifespan(_: FastAPI):
    task = asyncio.create_task(form_batches())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.post("/embed")
async def embed(body: Body) -> list[list[float]]:
    future = asyncio.get_running_loop().create_future()
    await waiting.put((body.inputs, future))
    return [await future]


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
# Clients wait until uvicorn is ready.
listener.listen(1024)
print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
