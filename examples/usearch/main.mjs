// node examples/usearch/main.mjs [model]
//
// Embeddings in a graph of USearch (HNSW), which finds most of the nearest rows of many millions without reading them all. Needs
// `npm i usearch`. Up to a million rows, an EmbeddingIndex finds all of them (docs/embedding-index.md).
import { SentenceTransformer } from 'sentence-torch'
import { Index, MetricKind } from 'usearch'

const texts = ['Order a replacement in the app.', 'We are open from 9 to 5.', 'Rates are set every morning.']
const model = await SentenceTransformer.load(process.argv[2] ?? 'sentence-transformers/all-MiniLM-L6-v2')

const index = new Index({ metric: MetricKind.Cos, dimensions: model.embeddingDimension, connectivity: 16 })
const { data } = await model.encodeDocument(texts)
// Keys are your ids of the rows; all rows are one Float32Array, as encode gives them.
index.add(
  BigUint64Array.from(texts, (_, id) => BigInt(id)),
  data,
)

const { keys, distances } = index.search(await model.encodeQuery('When are you open?'), 2, 0)
for (const [i, key] of keys.entries()) console.log((1 - distances[i]).toFixed(4), texts[Number(key)])
await model.dispose()
