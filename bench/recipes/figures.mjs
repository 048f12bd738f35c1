// node bench/recipes/figures.mjs OUT NAME=FOLDER …: heat maps of the similarities of some sentences, one for each model, side by
// side, and bars of the models' Spearman correlation on the STS benchmark's dev split. It writes OUT/similarities.svg and OUT/sts.svg.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { evaluation, plots, SentenceTransformer } from 'sentence-torch'
import { stsDev } from './cases.mjs'

const SENTENCES = [
  'The museum opens at nine.',
  'At nine the museum opens its doors.',
  'The museum is closed all day.',
  'A man plays the guitar on stage.',
  'Someone is making music for an audience.',
  'Nobody is on the stage.',
]
const GAP = 10

const [out, ...given] = process.argv.slice(2)
if (out === undefined || given.length === 0) throw new Error('node bench/recipes/figures.mjs OUT NAME=FOLDER …')
const models = given.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])
const evaluator = new evaluation.EmbeddingSimilarityEvaluator({ ...(await stsDev()), name: 'sts', writeCsv: false })

const maps = []
const bars = []
for (const [label, folder] of models) {
  const model = await SentenceTransformer.load(folder)
  const embeddings = await model.encode(SENTENCES, { normalizeEmbeddings: true })
  const matrix = model.similarity(embeddings, embeddings)
  maps.push(
    await plots.heatmap(
      {
        rows: SENTENCES.map((sentence, i) => (maps.length === 0 ? `${i + 1} ${sentence}` : String(i + 1))),
        columns: SENTENCES.map((_, i) => String(i + 1)),
        values: SENTENCES.map((_, i) => matrix.row(i)),
        range: [0, 1],
        valueTitle: 'cosine',
      },
      { title: label, width: 260, height: 260, theme: 'light' },
    ),
  )
  const { metrics } = await evaluator.evaluate(model)
  bars.push({ label, value: metrics.sts_spearman_cosine })
  console.error(`${label}: ${metrics.sts_spearman_cosine.toFixed(4)}`)
  await model.dispose()
}
await writeFile(join(out, 'similarities.svg'), sideBySide(maps))
const valueTitle = 'Spearman correlation, STS benchmark, dev'
await writeFile(
  join(out, 'sts.svg'),
  await plots.bars({ bars, valueTitle }, { width: 420, height: 220, theme: 'light' }),
)

/** Several SVG texts as one. */
function sideBySide(texts) {
  let x = 0
  let height = 0
  const placed = texts.map((text) => {
    const size = (name) => Number(new RegExp(`<svg[^>]*\\s${name}="([\\d.]+)"`).exec(text)[1])
    const part = text.replace(/<\?xml[^>]*\?>/, '').replace('<svg', `<svg x="${x}"`)
    x += size('width') + GAP
    height = Math.max(height, size('height'))
    return part
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${x - GAP}" height="${height}">${placed.join('')}</svg>\n`
}
