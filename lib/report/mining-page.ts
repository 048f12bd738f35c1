/** The page of a mining: scores, what was refused, and negatives to look at. */
import { dirname, resolve } from 'node:path'
import { writeFileAtomic } from '../io/atomic.js'
import { makeFolder } from '../io/files.js'
import { failedTo } from '../io/system-error.js'
import type { MiningStatistics, NegativeSample } from '../search/hard-negatives/statistics-types.js'
import type { Figure } from './figures.js'
import { html } from './html.js'
import { type PageSection, page } from './page.js'
import { type Column, facts, table } from './tables.js'
import { figuresView } from './write-report.js'

const WHY: Readonly<Record<MiningStatistics['refused'][number]['reason'], string>> = {
  absoluteMargin: 'too close to the positive: absolute margin',
  relativeMargin: 'too close to the positive: relative margin',
  maxScore: 'score too high',
  minScore: 'score too low',
  judge: 'an answer, says the judge',
}

/**
 * Writes a page about hard negatives: a histogram of the scores of positives and negatives, how many candidates were refused and why,
 * and negatives, those nearest to their query first. Its figures are those that `mineHardNegatives` tells to `onStatistics`.
 * @returns the path of the file
 * @throws an error of the system
 */
export async function writeMiningReport(statistics: MiningStatistics, file: string): Promise<string> {
  const path = resolve(file)
  await makeFolder(dirname(path)).catch(failedTo(`make the folder ${dirname(path)}`))
  await writeFileAtomic(path, await miningPage(statistics))
  return path
}

export async function miningPage(statistics: MiningStatistics): Promise<string> {
  const { queries, corpus, rows, missingRows, positiveScores, negativeScores, refused, closest, samples } = statistics
  const counts = facts([
    ['queries', queries],
    ['texts searched', corpus],
    ['rows', rows],
    ['rows without enough negatives', missingRows],
  ])
  const columns: Column[] = [
    { title: 'why' },
    { title: 'refused candidates', isNumber: true },
    { title: 'share of those left', isNumber: true },
  ]
  const why = table(
    columns,
    refused.map(({ reason, count, ratio }) => [WHY[reason], count, `${(ratio * 100).toFixed(2)} %`]),
  )
  const sections: PageSection[] = [
    { id: 'scores', title: 'Scores', content: await figuresView([histogramOf(positiveScores, negativeScores)]) },
    {
      id: 'refused',
      title: 'Refused candidates',
      content: refused.length > 0 ? why : html`<p>No candidate was refused.</p>`,
    },
    { id: 'closest', title: 'Nearest to their query', content: samplesTable(closest) },
    { id: 'samples', title: 'Samples', content: samplesTable(samples) },
  ]
  return page('Hard negatives', counts, sections)
}

function histogramOf(positives: readonly number[], negatives: readonly number[]): Figure {
  const series = [
    { name: 'positives', values: positives },
    { name: 'negatives', values: negatives },
  ].filter(({ values }) => values.length > 0)
  return { kind: 'histogram', title: 'Scores of positives and negatives', series, xTitle: 'score' }
}

function samplesTable(samples: readonly NegativeSample[]) {
  const columns: Column[] = [
    ...[{ title: 'query' }, { title: 'positive' }, { title: 'negative' }],
    ...[
      { title: 'score of the positive', isNumber: true },
      { title: 'of the negative', isNumber: true },
    ],
  ]
  const rows = samples.map(({ query, positive, negative, positiveScore, negativeScore }) => [
    ...[query, positive, negative],
    ...[positiveScore.toFixed(3), negativeScore.toFixed(3)],
  ])
  return table(columns, rows, 'pairs')
}
