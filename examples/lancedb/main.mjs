// node examples/lancedb/main.mjs [model] [folder]
//
// Texts of a model in a LanceDB folder, and a search. Needs `npm i @lancedb/lancedb`.
import { connect } from '@lancedb/lancedb'
import { SentenceTransformer } from 'sentence-torch'

const texts = ['Order a replacement in the app.', 'We are open from 9 to 5.', 'Rates are set every morning.']
const model = await SentenceTransformer.load(process.argv[2] ?? 'sentence-transformers/all-MiniLM-L6-v2')
const database = await connect(process.argv[3] ?? 'answers.lance')

const embeddings = await model.encodeDocument(texts)
// LanceDB takes plain arrays: a row of the embeddings is a Float32Array.
const rows = texts.map((text, id) => ({ id, text, vector: Array.from(embeddings.row(id)) }))
const table = await database.createTable('answers', rows, { mode: 'overwrite' })

const query = await model.encodeQuery(['When are you open?'])
const hits = await table
  .vectorSearch(Array.from(query.row(0)))
  .distanceType('cosine')
  .limit(2)
  .toArray()
for (const { _distance, text } of hits) console.log((1 - _distance).toFixed(4), text)
await model.dispose()
