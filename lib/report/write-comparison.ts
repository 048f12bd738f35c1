import { dirname, resolve } from 'node:path'
import { invalidArgument } from '../errors.js'
import { writeFileAtomic } from '../io/atomic.js'
import { makeFolder } from '../io/files.js'
import { failedTo } from '../io/system-error.js'
import type { Bar } from '../plots/data.js'
import type { Figure } from './figures.js'
import { type Html, html } from './html.js'
import { curveOf } from './log-figures.js'
import { manifestView } from './manifest-view.js'
import { type PageSection, page } from './page.js'
import { type RunContents, readRun } from './read-run.js'
import { type Cell, table } from './tables.js'
import { figuresView } from './write-report.js'

/** Most metrics that are drawn as bars; the table has all. */
const MOST_DRAWN = 6
/** Starts that differ by more are not the same. */
const SAME_START = 1e-6

/**
 * Compares several runs on one page: their metrics beside those of the start, losses, configs, manifests.
 *
 * @param folders of runs, in the order of the page
 * @param file where the page is written
 * @returns the path of the file
 * @throws ERR_INVALID_ARGUMENT for fewer than two runs; ERR_NOT_FOUND where a folder has no `run.json`; ERR_INVALID_FILE
 */
export async function writeComparison(folders: readonly string[], file: string): Promise<string> {
  if (!Array.isArray(folders) || folders.length < 2)
    throw invalidArgument('folders', 'the folders of at least two runs', folders)
  const runs = await Promise.all(folders.map((folder) => readRun(folder)))
  const path = resolve(file)
  await makeFolder(dirname(path)).catch(failedTo(`make the folder ${dirname(path)}`))
  await writeFileAtomic(path, await comparisonPage(runs))
  return path
}

/** The page of several runs. */
export async function comparisonPage(runs: readonly RunContents[]): Promise<string> {
  const names = namesOf(runs)
  const keys = metricKeys(runs)
  const sections: PageSection[] = []
  if (keys.length > 0) {
    const figures = await figuresView(keys.slice(0, MOST_DRAWN).map((key) => metricBars(key, runs, names)))
    sections.push({ id: 'results', title: 'Results', content: html`${metricsTable(keys, runs, names)}${figures}` })
  }
  const losses = lossFigures(runs, names)
  if (losses.length > 0) sections.push({ id: 'training', title: 'Training', content: await figuresView(losses) })
  const details = runs.map(
    ({ manifest, config }, i) => html`<details><summary>${names[i]}</summary>${manifestView(manifest)}
${config !== undefined && html`<pre>${config}</pre>`}</details>`,
  )
  sections.push({ id: 'runs', title: 'Runs', content: html`${details}` })
  const head = html`<p class="muted">${runs.length} runs: ${names.join(', ')}</p>`
  return page(`Comparison of ${runs.length} runs`, head, sections)
}

/** Names of the folders; with the one above where two are the same. */
function namesOf(runs: readonly RunContents[]): string[] {
  const names = runs.map(({ name }) => name)
  return runs.map(({ path, name }, i) => {
    if (names.indexOf(name) === names.lastIndexOf(name)) return name
    return path.split('/').slice(-2).join('/') || `${name} ${i + 1}`
  })
}

/** Names of metrics of all runs, those that most runs have first. */
function metricKeys(runs: readonly RunContents[]): string[] {
  const counts = new Map<string, number>()
  for (const { result } of runs)
    for (const { name } of result?.metrics ?? []) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!)
}

const metricOf = (run: RunContents, key: string) => run.result?.metrics.find(({ name }) => name === key)

/** A row for each metric: where all runs start, once; then what each has reached, the best one marked. */
function metricsTable(keys: readonly string[], runs: readonly RunContents[], names: readonly string[]): Html {
  const rows = keys.map((key): Cell[] => {
    const metrics = runs.map((run) => metricOf(run, key))
    const known = metrics.flatMap((metric) => metric ?? [])
    const starts = known.map(({ before }) => before)
    const isOneStart = Math.max(...starts) - Math.min(...starts) <= SAME_START
    const reached = known.map(({ after, higherIsBetter }) => (higherIsBetter ? after : -after))
    const best = Math.max(...reached)
    const cells = metrics.map((metric): Cell => {
      if (!metric) return '–'
      const isBest = (metric.higherIsBetter ? metric.after : -metric.after) === best
      const text = metric.after.toFixed(4)
      const own = isOneStart ? '' : ` (from ${metric.before.toFixed(4)})`
      return isBest ? html`<strong>${text}</strong>${own}` : `${text}${own}`
    })
    return [key, isOneStart ? starts[0]!.toFixed(4) : 'differs', ...cells]
  })
  const columns = [{ title: 'metric' }, ...['start', ...names].map((title) => ({ title, isNumber: true }))]
  return table(columns, rows)
}

/** What every run has reached; the interval of a run is that of its difference, laid around the value. */
function metricBars(key: string, runs: readonly RunContents[], names: readonly string[]): Figure {
  const found = runs.flatMap((run, i) => {
    const metric = metricOf(run, key)
    return metric ? [{ metric, name: names[i]! }] : []
  })
  const bars = found.map(({ metric: { before, after, interval }, name }): Bar => {
    const ends = interval && { low: before + interval.low, high: before + interval.high }
    return { label: name, value: after, ...ends }
  })
  const starts = new Set(found.map(({ metric }) => metric.before.toFixed(6)))
  const start: Bar[] = starts.size === 1 ? [{ label: 'start', value: found[0]!.metric.before }] : []
  // A run may have the name.
  const unique = found.some(({ name }) => name === 'start') ? [] : start
  return { kind: 'bars', title: key, bars: [...unique, ...bars] }
}

function lossFigures(runs: readonly RunContents[], names: readonly string[]): Figure[] {
  return ['loss', 'eval_loss'].flatMap((key) => {
    const series = runs.flatMap(({ logs }, i) =>
      logs.flatMap(
        ({ stage, records }) => curveOf(stage === '' ? names[i]! : `${names[i]} ${stage}`, records, key) ?? [],
      ),
    )
    if (series.length === 0) return []
    return [{ kind: 'curves' as const, title: key, series, xTitle: 'step' }]
  })
}
