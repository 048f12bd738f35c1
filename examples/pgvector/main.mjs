// node examples/pgvector/main.mjs [model]
//
// Texts of a model in Postgres with pgvector, and a search. PGlite is Postgres in this process: `npm i @electric-sql/pglite
// @electric-sql/pglite-pgvector`. A server takes the same statements by its own client.
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { SentenceTransformer } from 'sentence-torch'

const texts = ['Order a replacement in the app.', 'We are open from 9 to 5.', 'Rates are set every morning.']
const model = await SentenceTransformer.load(process.argv[2] ?? 'sentence-transformers/all-MiniLM-L6-v2')
const database = await PGlite.create({ extensions: { vector } })

await database.exec(`
  CREATE EXTENSION vector;
  CREATE TABLE answers (id integer PRIMARY KEY, text text, embedding vector(${model.embeddingDimension}));
`)
// pgvector reads a vector from text: [0.1,0.2].
const literal = (row) => JSON.stringify(Array.from(row))
const embeddings = await model.encodeDocument(texts)
for (const [id, text] of texts.entries())
  await database.query('INSERT INTO answers VALUES ($1, $2, $3)', [id, text, literal(embeddings.row(id))])

const query = await model.encodeQuery('When are you open?')
// <=> is the distance by cosine.
const { rows } = await database.query(
  'SELECT text, 1 - (embedding <=> $1) AS score FROM answers ORDER BY embedding <=> $1 LIMIT 2',
  [literal(query)],
)
for (const { score, text } of rows) console.log(score.toFixed(4), text)
await database.close()
await model.dispose()
