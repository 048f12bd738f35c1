import { join } from 'node:path'
import { writeFileAtomic } from '../io/atomic.js'
import { figureView } from './figure-view.js'
import { type Figure, SECTIONS, type Section, sectionOf } from './figures.js'
import { type Html, html } from './html.js'
import { logFigures } from './log-figures.js'
import { manifestHead, manifestView } from './manifest-view.js'
import { resultView } from './metrics-table.js'
import { type PageSection, page } from './page.js'
import { type RunContents, readRun } from './read-run.js'

const TITLES: Record<Section, string> = {
  results: 'Results',
  training: 'Training',
  scores: 'Scores',
  similarity: 'Similarities',
  map: 'Map of the embeddings',
  errors: 'Hardest pairs',
  data: 'Data',
  speed: 'Speed',
}

/**
 * Makes the report of a run of what its folder has: one HTML file without scripts that loads nothing. What the folder does not have
 * is not in it, so that it can be made while a run goes on.
 *
 * @param folder of a run (`RunFolder`)
 * @returns the path of `report.html` in it
 * @throws ERR_NOT_FOUND where the folder has no `run.json`; ERR_INVALID_FILE; ERR_FILE_SYSTEM
 */
export async function writeReport(folder: string): Promise<string> {
  const run = await readRun(folder)
  const file = join(run.path, 'report.html')
  await writeFileAtomic(file, await reportPage(run))
  return file
}

/** The page of a run. */
export async function reportPage(run: RunContents): Promise<string> {
  const { title, head, sections } = await reportParts(run)
  return page(title, head, sections)
}

export interface ReportParts {
  title: string
  head: Html
  sections: readonly PageSection[]
}

/** What the page of a run is made of. */
export async function reportParts(run: RunContents): Promise<ReportParts> {
  const sections = [...(await figureSections(run)), ...rest(run)]
  return { title: run.name, head: manifestHead(run.manifest), sections }
}

async function figureSections(run: RunContents): Promise<PageSection[]> {
  const figures = [...run.figures.values()]
  const first = run.result?.metrics.map(({ name }) => name) ?? []
  const ofLogs = run.logs.flatMap(({ stage, records }) =>
    logFigures(records, first).map((figure) =>
      stage === '' ? figure : { ...figure, title: `${figure.title}: ${stage}` },
    ),
  )
  const sections: PageSection[] = []
  for (const id of SECTIONS) {
    const own = [...ofLogs, ...figures].filter((figure) => sectionOf(figure) === id)
    const view = await figuresView(own)
    const result = id === 'results' && run.result && resultView(run.result)
    if (result || own.length > 0) sections.push({ id, title: TITLES[id], content: html`${result}${view}` })
  }
  return sections
}

/** Drawings stand beside each other where there is room; tables and maps take the whole width. */
export async function figuresView(figures: readonly Figure[]): Promise<Html> {
  const isWide = ({ kind }: Figure) => kind === 'map' || kind === 'pairs' || kind === 'table'
  const views = async (list: readonly Figure[]) => {
    const shown: Html[] = []
    for (const figure of list) shown.push(await figureView(figure))
    return shown
  }
  const narrow = await views(figures.filter((figure) => !isWide(figure)))
  const wide = await views(figures.filter(isWide))
  return html`${narrow.length > 0 && html`<div class="grid">${narrow}</div>`}${wide}`
}

function rest({ manifest, config }: RunContents): PageSection[] {
  return [
    ...(config === undefined ? [] : [{ id: 'config', title: 'Config', content: html`<pre>${config}</pre>` }]),
    { id: 'manifest', title: 'Manifest', content: manifestView(manifest) },
  ]
}
