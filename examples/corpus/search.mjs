// node examples/corpus/search.mjs 'a question'
import { SentenceTransformer } from 'sentence-torch'
import { ask } from './qdrant.mjs'

const model = await SentenceTransformer.load(process.env.MODEL ?? 'sentence-transformers/all-MiniLM-L6-v2')
const query = await model.encodeQuery([process.argv[2] ?? 'Which parcel went to Lisbon?'])
const { points } = await ask('POST', '/points/query', { query: Array.from(query.row(0)), limit: 3, with_payload: true })
for (const { score, payload } of points) console.log(score.toFixed(4), payload.text)
await model.dispose()
