/** What a run was made of: the parts of its manifest. */
import { type Html, html } from './html.js'
import type { RunManifest } from './manifest.js'
import { facts, table } from './tables.js'

export function manifestHead(manifest: RunManifest): Html {
  const { recipe, baseModel, state, error, startedAt, finishedAt } = manifest
  const seconds = finishedAt === undefined ? undefined : (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000
  const time = seconds !== undefined && Number.isFinite(seconds) ? `, ${durationText(seconds)}` : ''
  return html`<p class="muted">${recipe}${baseModel && ` of ${baseModel}`}, begun ${startedAt}${time}</p>
${state !== 'finished' && html`<p class="bad">This run ${STATES[state]}${error && `: ${error}`}</p>`}`
}

const STATES = {
  running: 'has not ended',
  finished: 'is finished',
  failed: 'failed',
  interrupted: 'was interrupted',
}

export function manifestView(manifest: RunManifest): Html {
  const { recipe, baseModel, model, state, startedAt, finishedAt, seeds, versions, processor, threads } = manifest
  const named = (values: Readonly<Record<string, string | number>> | undefined) =>
    values &&
    Object.entries(values)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')
  return html`${facts([
    ...([
      ['recipe', recipe],
      ['state', state],
      ['base model', baseModel],
      ['trained model', model],
    ] as const),
    ...([
      ['begun', startedAt],
      ['ended', finishedAt],
      ['seeds', named(seeds)],
      ['versions', named(versions)],
    ] as const),
    ...([
      ['processor', processor],
      ['threads', threads === undefined ? undefined : String(threads)],
    ] as const),
    ['SHA-256 of the tokenizer', manifest.tokenizerSha256],
  ])}
${manifest.data && manifest.data.length > 0 && dataTable(manifest.data)}`
}

function dataTable(data: NonNullable<RunManifest['data']>): Html {
  return table(
    [
      { title: 'data' },
      { title: 'source' },
      { title: 'rows', isNumber: true },
      { title: 'columns' },
      { title: 'SHA-256' },
    ],
    data.map(({ role, source, rows, columns, sha256 }) => [role, source, rows, columns?.join(', '), sha256]),
  )
}

export function durationText(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
