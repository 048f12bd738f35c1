// NanoBEIREvaluator on a collection of the hub: the files are those that make_nano_beir_files.py writes.
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { loadBeirFromHub } from '../../lib/evaluation/beir-hub.js'
import type { EvaluatedModel } from '../../lib/evaluation/evaluator.js'
import { NanoBEIREvaluator } from '../../lib/evaluation/index.js'
import { embeddings } from '../../lib/models/embeddings.js'
import { hubServer } from '../helpers/hub-server.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const FILES = fileURLToPath(new URL('../../../test/parity/golden/evaluators/nano-beir/', import.meta.url))
const SETS = ['NanoMSMARCO', 'NanoNQ']

const card = ['corpus', 'queries', 'qrels'].map((config) =>
  [
    `- config_name: ${config}`,
    '  data_files:',
    ...SETS.flatMap((split) => [`  - split: ${split}`, `    path: ${config}/${split}-*`]),
  ].join('\n'),
)

const encode: EvaluatedModel['encode'] = async (texts) =>
  embeddings(Float32Array.from(texts.flatMap((text) => text.split(' ').map(Number))), texts.length, 2)
const model: EvaluatedModel = { similarityFnName: 'cosine', encode, encodeQuery: encode, encodeDocument: encode }

test.serial('sets of the hub, one document or several in a row', async (t) => {
  for (const name of ['HF_TOKEN', 'HF_HUB_OFFLINE', 'HF_HOME']) delete process.env[name]
  const [main, cache] = [join(await temporaryFolder(t), 'main'), await temporaryFolder(t)]
  for (const file of await readdir(FILES)) {
    const [config, set] = file.split(/[-.]/) as [string, string]
    const target = join(main, config, `${set}-00000-of-00001.parquet`)
    await mkdir(dirname(target), { recursive: true })
    await copyFile(join(FILES, file), target)
  }
  await writeFile(join(main, 'README.md'), `---\nconfigs:\n${card.join('\n')}\n---\n`)
  const id = 'org/nano'
  process.env.HF_ENDPOINT = (await hubServer(t, main, { id })).url
  process.env.HF_HUB_CACHE = cache

  const set = await loadBeirFromHub(id, 'NanoMSMARCO')
  t.deepEqual([...set.corpus.keys()], ['d1', 'd2'])
  t.deepEqual([...set.relevantDocs].map(([query, documents]) => [query, ...documents]), [['q1', 'd1'], ['q2', 'd2']]) // biome-ignore format: short

  const evaluator = new NanoBEIREvaluator({ datasetId: id, datasetNames: ['msmarco', 'nq'] })
  const { metrics, primaryMetric } = await evaluator.evaluate(model)
  t.is(primaryMetric, 'NanoBEIR_mean_cosine_ndcg@10')
  t.is(metrics['NanoMSMARCO_cosine_recall@1'], 1)
  // Both relevant documents are equally near: one of them is first.
  t.is(metrics['NanoNQ_cosine_recall@1'], 0.5)
  t.is(metrics['NanoBEIR_mean_cosine_recall@1'], 0.75)
  t.is(metrics['NanoNQ_cosine_precision@3'], 2 / 3)
})
