// node examples/qdrant/main.mjs [model]
//
// Texts of a model in Qdrant, and a search. Needs `npm i @qdrant/js-client-rest` and a server: QDRANT_URL, or http://localhost:6333.
import { QdrantClient } from '@qdrant/js-client-rest'
import { SentenceTransformer } from 'sentence-torch'

const texts = ['Order a replacement in the app.', 'We are open from 9 to 5.', 'Rates are set every morning.']
const model = await SentenceTransformer.load(process.argv[2] ?? 'sentence-transformers/all-MiniLM-L6-v2')
const client = new QdrantClient({ url: process.env.QDRANT_URL ?? 'http://localhost:6333' })

await client.createCollection('answers', { vectors: { size: model.embeddingDimension, distance: 'Cosine' } })
const embeddings = await model.encodeDocument(texts)
// A client takes plain arrays: a row of the embeddings is a Float32Array.
const points = texts.map((text, id) => ({ id, vector: Array.from(embeddings.row(id)), payload: { text } }))
await client.upsert('answers', { wait: true, points })

const query = await model.encodeQuery(['When are you open?'])
const { points: hits } = await client.query('answers', {
  query: Array.from(query.row(0)),
  limit: 2,
  with_payload: true,
})
for (const { score, payload } of hits) console.log(score.toFixed(4), payload.text)
await model.dispose()
