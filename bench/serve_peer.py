"""The peer of bench/serve.mjs: sentence-transformers behind FastAPI, with a queue that forms batches of what waits.

    python bench/serve_peer.py MODEL        prints its address

needs sentence-transformers, fastapi and uvicorn.
"""

import asyncio
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

MOST = 64
model = SentenceTransformer(sys.argv[1], device="cpu")
waiting: asyncio.Queue = asyncio.Queue()
# One thread computes, while the loop reads requests.
executor = ThreadPoolExecutor(1)


class Body(BaseModel):
    inputs: str


def encode(texts: list[str]) -> list[list[float]]:
    return model.encode(texts, batch_size=MOST, normalize_embeddings=True, show_progress_bar=False).tolist()


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
