// The folder of a run with everything that a report can show, and hostile texts in all of it.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Dataset } from '../../lib/data/dataset.js'
import type { RunMetric } from '../../lib/report/index.js'
import {
  embeddingMap,
  hardestPairs,
  lengthHistogram,
  overlapTable,
  RunFolder,
  scoreHistogram,
  scoreScatter,
  similarityFigure,
} from '../../lib/report/index.js'

export const HOSTILE = `</script></style></text><script>window.hacked=1</script><img src="https://example.org/x" onerror="window.hacked=2">'"`

/** Loss of step n of the log. */
export const lossAt = (step: number) => Number((3 / step).toFixed(4))

export function metric(name: string, after: number, interval?: RunMetric['interval']): RunMetric {
  const head = { name, evaluator: HOSTILE, data: 'test' as const, before: 0.8, after, higherIsBetter: true }
  return { ...head, ...(interval && { interval }) }
}

export async function makeRun(folder: string, { reached = 0.85, text = HOSTILE } = {}): Promise<RunFolder> {
  const run = await RunFolder.create(folder, {
    config: { recipe: 'sts', note: text, args: { learningRate: 2e-5 } },
    manifest: {
      ...{
        recipe: `sts ${text}`,
        baseModel: text,
        seeds: { seed: 42 },
        versions: { node: '20' },
        processor: text,
        threads: 2,
      },
      data: [{ role: 'train', source: text, rows: 4, columns: ['sentence1', text], sha256: 'a'.repeat(64) }],
    },
  })
  const records = Array.from({ length: 30 }, (_, i) => ({
    ...{ loss: lossAt(i + 1), learning_rate: 2e-5, grad_norm: 1.5, epoch: (i + 1) / 30, step: i + 1 },
    ...{ time_forward: 0.5, time_backward: 1, time_optimizer: 0.25, time_wait: 0.125, tokens_per_second: 1000 + i },
  }))
  const evaluations = [15, 30].map((step) => ({ eval_loss: 1, eval_dev_spearman_cosine: 0.8, eval_runtime: 1, step }))
  const lines = [...records, ...evaluations]
    .sort((a, b) => a.step - b.step)
    .map((record) => `${JSON.stringify(record)}\n`)
  await writeFile(join(folder, 'log.jsonl'), lines.join(''))
  await mkdir(join(folder, 'stages', '1-mine'), { recursive: true })
  await writeFile(join(folder, 'stages', '1-mine', 'log.jsonl'), lines.slice(0, 3).join(''))
  const texts = [text, 'A plane is taking off.', 'An air plane is taking off.', 'A man plays the flute.']
  const rows = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i * i + 1))
  const embeddings = { data: rows, shape: [4, 3] as [number, number] }
  const scores = { gold: [0, 1, 2, 5], before: [0.1, 0.3, 0.2, 0.9], after: [0.9, 0.1, 0.4, 0.95] }
  const train = Dataset.fromColumns({ sentence1: texts, sentence2: [...texts].reverse() })
  const dev = Dataset.fromColumns({ sentence1: ['a man plays the flute. ', 'x'], sentence2: ['y', 'y'] })
  await run.writeFigure('a-scatter', scoreScatter(scores))
  await run.writeFigure('b-histogram', scoreHistogram(scores))
  await run.writeFigure('heat-after', similarityFigure(`After ${text}`, texts, embeddings))
  await run.writeFigure(
    'map',
    embeddingMap(texts, { before: embeddings, after: embeddings }, { groups: ['a', 'b', text, 'a'] }),
  )
  await run.writeFigure('pairs', hardestPairs(texts, [...texts].reverse(), scores))
  await run.writeFigure('overlap', await overlapTable({ train, dev }))
  await run.writeFigure('lengths', await lengthHistogram({ train, dev }))
  await run.writeResult({
    metrics: [
      metric('test_spearman_cosine', reached, { low: 0.02, high: 0.08, confidence: 0.95 }),
      metric('test_pearson_cosine', 0.801, { low: -0.01, high: 0.01, confidence: 0.95 }),
      { ...metric(text, 0.7), python: 0.7001 },
    ],
    notes: [`A note ${text}`],
    counts: { [`dropped ${text}`]: 1234567 },
  })
  await run.finish()
  return run
}
