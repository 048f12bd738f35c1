"""Python's own clients against a server of sentence-torch: python serve_clients.py ASKED

ASKED: JSON { url, key, embedder, reranker, texts, query }. Prints JSON: for each client that is installed its vectors of the texts,
or the scores of all texts for the query, in the order of the texts.
"""

import json
import sys
from pathlib import Path

asked = json.loads(Path(sys.argv[1]).read_text())
url, key, texts = asked["url"], asked["key"], asked["texts"]


def openai():
    import openai

    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    answer = client.embeddings.create(model=asked["embedder"], input=texts)
    return [item.embedding for item in answer.data]


def huggingface_hub():
    from huggingface_hub import InferenceClient

    return InferenceClient(model=f"{url}/models/{asked['embedder']}/embed", token=key).feature_extraction(texts).tolist()


def langchain():
    # Later than 1.2.1 it takes no address.
    from langchain_huggingface import HuggingFaceEndpointEmbeddings

    return HuggingFaceEndpointEmbeddings(model=url, huggingfacehub_api_token=key).embed_documents(texts)


def llama_index():
    from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

    client = TextEmbeddingsInference(base_url=url, model_name=asked["embedder"], auth_token=key)
    return client.get_text_embedding_batch(texts)


def cohere():
    import cohere

    client = cohere.ClientV2(key, base_url=url)
    results = client.rerank(model=asked["reranker"], query=asked["query"], documents=texts).results
    return [result.relevance_score for result in sorted(results, key=lambda result: result.index)]


found = {}
for client in (openai, huggingface_hub, langchain, llama_index, cohere):
    try:
        found[client.__name__] = client()
    except ModuleNotFoundError as error:
        print(f"{client.__name__} is left out: {error}", file=sys.stderr)
print(json.dumps(found))
