/** A config of `train`: read with its places, changed by `--set`, and checked against the published JSON Schema. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Document, isMap, LineCounter, parse, parseDocument } from 'yaml'
import { packageRoot } from '#system'
import { SentenceTorchError, suggestion } from '../errors.js'
import { readWhole } from '../io/open-file.js'
import { schemaFaults } from './schema-faults.js'

/** A config is written by hand. */
const MOST_BYTES = 4 * 1024 * 1024

export interface Config {
  recipe: string
  /** All members but `recipe`. */
  values: Readonly<Record<string, unknown>>
  /** As run: with the changes of `--set`. */
  text: string
}

/**
 * @param path a YAML or JSON file
 * @param changes `training.learningRate=3e-5`, the value in YAML
 * @param recipes names of those that there are
 * @throws ERR_NOT_FOUND; ERR_INVALID_DATA with a line for each fault, which begins with file, line and column
 */
export async function readConfig(
  path: string,
  changes: readonly string[],
  recipes: readonly string[],
): Promise<Config> {
  const bytes = await readWhole(path, MOST_BYTES, 'ERR_INVALID_DATA')
  const lines = new LineCounter()
  const document = parseDocument(decode(bytes, path), { lineCounter: lines, prettyErrors: false })
  const [error] = document.errors
  if (error) {
    const { line, col } = lines.linePos(error.pos[0])
    throw fault([`${path}:${line}:${col}: no YAML: ${error.message}`])
  }
  if (!isMap(document.contents))
    throw fault([`${path}:1:1: expected keys and values, such as "model: all-MiniLM-L6-v2"`])
  for (const change of changes) apply(document, change)
  const whole: Record<string, unknown> = document.toJS()
  const { recipe = 'finetune', ...values } = whole
  const placeOf = places(document, lines, path)
  if (typeof recipe !== 'string' || !recipes.includes(recipe)) {
    const close = typeof recipe === 'string' ? suggestion(recipe, recipes) : undefined
    const hint = close === undefined ? `there are: ${recipes.join(', ')}` : `did you mean ${close}?`
    throw fault([`${placeOf(['recipe'], false)}: there is no recipe ${JSON.stringify(recipe)}; ${hint}`])
  }
  const faults = await schemaFaults(await schemaText(), `recipe_${recipe}`, whole)
  if (faults.length > 0) {
    const told = faults.map(({ keys, isKey, message }) => [placeOf(keys, isKey), message] as const)
    told.sort(([a], [b]) => lineOf(a) - lineOf(b))
    throw fault(told.map(([place, message]) => `${place}: ${message}`))
  }
  return { recipe, values, text: document.toString() }
}

/** What the package publishes. */
function schemaText(): Promise<string> {
  return readFile(join(packageRoot, 'schema/config.schema.json'), 'utf8')
}

function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw fault([`Expected YAML or JSON in UTF-8 in ${path}, found other bytes`])
  }
}

function apply(document: Document.Parsed, change: string): void {
  const at = change.indexOf('=')
  const keys = change.slice(0, at).split('.')
  if (at <= 0 || keys.some((key) => key === ''))
    throw fault([`--set takes a key and a value, such as training.learningRate=3e-5, not ${JSON.stringify(change)}`])
  let value: unknown
  try {
    value = parse(change.slice(at + 1))
  } catch (cause) {
    throw fault([`--set ${change}: no YAML: ${(cause as Error).message.split('\n')[0]}`])
  }
  for (let length = 1; length < keys.length; length++) {
    const part = keys.slice(0, length)
    if (document.hasIn(part) && !isMap(document.getIn(part, true)))
      throw fault([`--set ${change}: ${part.join('.')} holds a value and no keys`])
  }
  document.setIn(keys, document.createNode(value))
}

/** Where a member stands: file, line and column; of what `--set` brought, that. */
function places(document: Document.Parsed, lines: LineCounter, path: string) {
  const shown = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${path}:${line}:${col}`
  }
  return (keys: readonly (string | number)[], isKey: boolean): string => {
    for (let length = keys.length; length > 0; length--) {
      const part = keys.slice(0, length)
      const parent: unknown = length === 1 ? document.contents : document.getIn(part.slice(0, -1), true)
      const pair = isMap(parent)
        ? parent.items.find(({ key }) => String((key as { value?: unknown })?.value) === String(part.at(-1)))
        : undefined
      const node: unknown = isKey && length === keys.length ? pair?.key : (pair?.value ?? document.getIn(part, true))
      const range = (node as { range?: readonly number[] } | undefined)?.range
      if (range) return shown(range[0]!)
      if (document.hasIn(part)) return `--set ${part.join('.')}`
    }
    return `${path}:1:1`
  }
}

function lineOf(place: string): number {
  return Number(/:(\d+):\d+$/.exec(place)?.[1] ?? 0)
}

function fault(messages: readonly string[]): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', messages.join('\n'))
}
