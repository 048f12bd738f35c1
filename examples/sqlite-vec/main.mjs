// node examples/sqlite-vec/main.mjs [model]
//
// Texts of a model in SQLite with sqlite-vec, and a search. Needs `npm i sqlite-vec` and node:sqlite, which loads extensions from Node
// 22.13 on. better-sqlite3 takes the same statements: `sqliteVec.load(new Database(file))`.
import { DatabaseSync } from 'node:sqlite'
import { SentenceTransformer } from 'sentence-torch'
import { getLoadablePath } from 'sqlite-vec'

const texts = ['Order a replacement in the app.', 'We are open from 9 to 5.', 'Rates are set every morning.']
const model = await SentenceTransformer.load(process.argv[2] ?? 'sentence-transformers/all-MiniLM-L6-v2')
const database = new DatabaseSync(':memory:', { allowExtension: true })
database.loadExtension(getLoadablePath())

database.exec('CREATE TABLE answers (id INTEGER PRIMARY KEY, text TEXT)')
const column = `embedding FLOAT[${model.embeddingDimension}] distance_metric=cosine`
database.exec(`CREATE VIRTUAL TABLE vectors USING vec0(id INTEGER PRIMARY KEY, ${column})`)
const embeddings = await model.encodeDocument(texts)
// A vector is the bytes of its numbers. node:sqlite takes bytes, not a Float32Array.
const bytes = ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength)
for (const [id, text] of texts.entries()) {
  database.prepare('INSERT INTO answers VALUES (?, ?)').run(id, text)
  database.prepare('INSERT INTO vectors VALUES (?, ?)').run(BigInt(id), bytes(embeddings.row(id)))
}

const query = await model.encodeQuery('When are you open?')
const hits = database
  .prepare(
    'SELECT text, distance FROM vectors JOIN answers USING (id) WHERE embedding MATCH ? AND k = 2 ORDER BY distance',
  )
  .all(bytes(query))
for (const { distance, text } of hits) console.log((1 - distance).toFixed(4), text)
database.close()
await model.dispose()
