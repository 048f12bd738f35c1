// The files of a run: written whole, read back, refused with their place.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { SentenceTorchError } from '../../lib/errors.js'
import type { Figure } from '../../lib/report/figures.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const figures: Record<string, Figure> = {
  heat: { kind: 'heatmap', title: 'Similarity', rows: ['a', 'b'], columns: ['c'], values: [[1], Float32Array.of(0.5)] },
  scores: {
    kind: 'scatter',
    title: 'Scores',
    series: [{ name: 'after', x: [0, 1], y: [0.1, 0.9], labels: ['p', 'q'] }],
  },
  lengths: { kind: 'histogram', title: 'Lengths', section: 'data', series: [{ name: 'tokens', values: [3, 4] }] },
  times: { kind: 'bars', title: 'Time', section: 'speed', bars: [{ label: 'forward', value: 2, low: 1, high: 3 }] },
  loss: { kind: 'curves', title: 'Loss', series: [{ name: 'loss', x: [1, 2], y: [3, 1] }] },
  map: { kind: 'map', title: 'Map', labels: ['t'], groups: ['g'], panels: [{ title: 'before', x: [1], y: [2] }] },
  wrong: { kind: 'pairs', title: 'Wrong', pairs: [{ text1: 'a', text2: 'b', gold: 1, after: 0.1 }] },
  table: {
    kind: 'table',
    title: 'Table',
    columns: ['name', 'value'],
    rows: [
      ['x', 1],
      ['y', null],
    ],
  },
}
const metric = {
  ...{ name: 'test_spearman_cosine', evaluator: 'EmbeddingSimilarityEvaluator', data: 'test' as const },
  ...{ before: 0.8, after: 0.85, higherIsBetter: true, interval: { low: 0.02, high: 0.08, confidence: 0.95 } },
}

test('what a run writes is read back', async (t) => {
  const folder = join(await temporaryFolder(t), 'deep', 'run')
  class Model {}
  const run = await RunFolder.create(folder, {
    config: { recipe: 'sts', args: { learningRate: 2e-5 }, model: new Model(), signal: undefined },
    manifest: {
      recipe: 'sts',
      baseModel: 'a/b',
      seeds: { seed: 42 },
      data: [{ role: 'train', source: 'x.csv', rows: 3 }],
    },
  })
  t.is((await RunFolder.read(folder)).manifest.state, 'running')
  for (const [name, figure] of Object.entries(figures)) await run.writeFigure(name, figure)
  await run.writeResult({ metrics: [metric], notes: ['a note'], counts: { dropped: 2 } })
  await run.writeManifest({ model: 'model', threads: 2 })
  await run.finish()
  const read = await RunFolder.read(folder)
  t.like(read.manifest, {
    format: 1,
    recipe: 'sts',
    state: 'finished',
    model: 'model',
    threads: 2,
    seeds: { seed: 42 },
  })
  t.true(Date.parse(read.manifest.finishedAt!) >= Date.parse(read.manifest.startedAt))
  t.deepEqual(read.result, { metrics: [metric], notes: ['a note'], counts: { dropped: 2 } })
  t.deepEqual(parse(read.config!), { recipe: 'sts', args: { learningRate: 2e-5 }, model: '(Model)' })
  t.deepEqual([...read.figures.keys()], Object.keys(figures).sort())
  t.deepEqual(read.figures.get('heat'), { ...figures.heat, values: [[1], [0.5]] })
  for (const name of ['scores', 'lengths', 'times', 'loss', 'map', 'wrong', 'table']) {
    t.deepEqual(read.figures.get(name), figures[name])
  }
})

test('a new run removes what an earlier one says, and keeps its models; a continued run keeps all', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await RunFolder.create(folder, { config: 'recipe: sts\n', manifest: { recipe: 'sts' } })
  await first.writeFigure('loss', figures.loss!)
  await first.writeResult({ metrics: [], notes: [], counts: {} })
  for (const name of ['model', 'stages']) await mkdir(join(folder, name))
  await writeFile(join(folder, 'log.jsonl'), '{"loss":1,"step":1}\n')
  await RunFolder.create(folder, { manifest: { recipe: 'sts' }, resume: true })
  t.deepEqual((await readdir(folder)).sort(), [
    ...['config.yaml', 'figures', 'log.jsonl', 'model', 'result.json', 'run.json', 'stages'],
  ])
  await RunFolder.create(folder, { manifest: { recipe: 'sts' } })
  t.deepEqual((await readdir(folder)).sort(), ['model', 'run.json', 'stages'])
})

test('logs of a run and of its stages are read, later records of a step first, a cut line left out', async (t) => {
  const folder = await temporaryFolder(t)
  await RunFolder.create(folder, { manifest: { recipe: 'sts' } })
  const lines = [1, 2, 3].map((step) => `{"loss":${step},"step":${step}}`)
  await writeFile(
    join(folder, 'log.jsonl'),
    [...lines, '{"loss":null,"step":2}', '{"eval_loss":7,"step":2}', '{"lo'].join('\n'),
  )
  for (const stage of ['10-train', '2-mine', '3-empty']) await mkdir(join(folder, 'stages', stage), { recursive: true })
  await writeFile(join(folder, 'stages', '10-train', 'log.jsonl'), '{"loss":5,"step":4}\n')
  await writeFile(join(folder, 'stages', '2-mine', 'log.jsonl'), '{"loss":6,"step":1}')
  const { logs } = await RunFolder.read(folder)
  t.deepEqual(
    logs.map(({ stage }) => stage),
    ['', '2-mine', '10-train'],
  )
  t.deepEqual(logs[0]!.records, [
    { loss: 1, step: 1 },
    { loss: 2, step: 2 },
    { loss: null, step: 2 },
    { eval_loss: 7, step: 2 },
  ])
  t.deepEqual(logs[1]!.records, [{ loss: 6, step: 1 }])
})

test('what does not fit is refused before anything is written', async (t) => {
  const folder = await temporaryFolder(t)
  const run = await RunFolder.create(folder, { manifest: { recipe: 'sts' } })
  const before = await readFile(join(folder, 'run.json'), 'utf8')
  const refused = async (work: Promise<unknown>, message: RegExp) => {
    await t.throwsAsync(work, { instanceOf: SentenceTorchError, message })
  }
  await refused(run.writeManifest({ state: 'done' as never }), /state in run\.json/)
  await refused(
    run.writeManifest({ data: [{ role: 'train', source: 'x', sha256: 'abc' }] }),
    /64 hexadecimal digits as data\[0\]\.sha256/,
  )
  const notFinite = { ...metric, after: Number.NaN }
  await refused(run.writeResult({ metrics: [notFinite], notes: [], counts: {} }), /metrics\[0\]\.after in result\.json/)
  await refused(run.writeFigure('../x', figures.loss!), /name of a figure/)
  await refused(run.writeFigure('x', { ...figures.loss, kind: 'pie' } as never), /"heatmap".* for the figure x kind/)
  const short = { kind: 'curves', title: 'Loss', series: [{ name: 'loss', x: [1, 2], y: [3] }] } as const
  await refused(run.writeFigure('x', short), /the figure x series\[0\]: expected as many y as x \(2\), but found 1/)
  t.deepEqual(await readdir(folder), ['run.json'])
  t.is(await readFile(join(folder, 'run.json'), 'utf8'), before)
})

test('files that were changed by hand are refused by name', async (t) => {
  const folder = await temporaryFolder(t)
  const read = () => RunFolder.read(folder)
  await t.throwsAsync(read, { code: 'ERR_NOT_FOUND', message: /not the folder of a run: it has no run\.json/ })
  const run = await RunFolder.create(folder, { manifest: { recipe: 'sts' } })
  await run.writeFigure('loss', figures.loss!)
  const spoilt = async (name: string, text: string, message: RegExp) => {
    const file = join(folder, ...name.split('/'))
    const before = await readFile(file, 'utf8').catch(() => '')
    await writeFile(file, text)
    await t.throwsAsync(read, { code: 'ERR_INVALID_FILE', message })
    await writeFile(file, before)
  }
  await spoilt('run.json', '{"format":2}', /1 as format in .*run\.json, found 2/)
  await spoilt('log.jsonl', '{"step":1}\n{"loss":"x","step":2}\n', /log\.jsonl, line 2/)
  await spoilt('figures/loss.json', '{"kind":"pie","title":"x"}', /kind in .*loss\.json/)
  await spoilt('figures/loss.json', '{"kind":"curves","title":"x","series":[]}', /loss\.json: the figure series/)
  const file = join(folder, 'result.json')
  await writeFile(file, '{"metrics":[]}')
  await t.throwsAsync(read, { code: 'ERR_INVALID_FILE', message: /notes in .*result\.json/ })
})
