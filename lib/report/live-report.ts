/** The page of a run that goes on, made anew when its folder has changed. */
import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { absent } from '../io/files.js'
import { html } from './html.js'
import { LIVE_STATUS, livePolicy, liveScript } from './live-page.js'
import { page } from './page.js'
import { readRun } from './read-run.js'
import { RUN_FILES } from './run-folder.js'
import { type ReportParts, reportParts } from './write-report.js'

/** Drawing may take at most this share of the time: training goes on beside it. */
const SHARE = 0.1

export interface Rendered {
  html: string
  /** Another one for other content, in the form of an ETag. */
  tag: string
}

export class LiveReport {
  readonly #folder: string
  #state = ''
  #drawn: Promise<{ parts: ReportParts | undefined; tag: string }> | undefined
  /** When the next drawing may begin. */
  #next = 0

  constructor(folder: string) {
    this.#folder = resolve(folder)
  }

  /**
   * @param nonce of its script
   * @param isFresh whether the newest state is needed however long drawing took before
   * @throws ERR_INVALID_FILE
   */
  async page(nonce: string, { isFresh = false } = {}): Promise<Rendered> {
    const { parts, tag } = await this.#newest(isFresh)
    const { title, head, sections } = parts ?? NOT_YET
    const live = { policy: livePolicy(nonce), status: LIVE_STATUS, script: liveScript(nonce) }
    return { html: page(title, head, sections, live), tag }
  }

  async #newest(isFresh: boolean): Promise<{ parts: ReportParts | undefined; tag: string }> {
    const mayDraw = isFresh || performance.now() >= this.#next
    if (this.#drawn !== undefined && !mayDraw) return this.#drawn
    const state = await stateOf(this.#folder)
    if (this.#drawn === undefined || state !== this.#state) {
      this.#state = state
      const drawn = this.#draw(state)
      this.#drawn = drawn
      // Who asks next tries again.
      drawn.catch(() => {
        if (this.#drawn === drawn) this.#drawn = undefined
      })
    }
    return this.#drawn
  }

  async #draw(state: string): Promise<{ parts: ReportParts | undefined; tag: string }> {
    // Two readers must not draw the same at once.
    this.#next = Number.POSITIVE_INFINITY
    const start = performance.now()
    try {
      const parts = state === '' ? undefined : await reportParts(await readRun(this.#folder))
      return { parts, tag: `"${createHash('sha256').update(state).digest('hex').slice(0, 32)}"` }
    } finally {
      this.#next = performance.now() + (performance.now() - start) / SHARE
    }
  }
}

const NOT_YET: ReportParts = {
  title: 'A run',
  head: html`<p class="muted">The run has not begun yet.</p>`,
  sections: [],
}

/** Sizes and times of the files that a report is made of; empty where there is no run. */
async function stateOf(folder: string): Promise<string> {
  const names = async (path: string) => (await readdir(join(folder, path)).catch(absent([]))).sort()
  const stages = (await names(RUN_FILES.stages)).map((stage) => join(RUN_FILES.stages, stage, RUN_FILES.log))
  const figures = (await names(RUN_FILES.figures)).map((name) => join(RUN_FILES.figures, name))
  const { manifest, result, config, log } = RUN_FILES
  const found: string[] = []
  for (const file of [manifest, result, config, log, ...stages, ...figures]) {
    const facts = await stat(join(folder, file)).catch(absent(undefined))
    if (facts !== undefined) found.push(`${file} ${facts.size} ${facts.mtimeMs}`)
    else if (file === manifest) return ''
  }
  return found.join('\n')
}
