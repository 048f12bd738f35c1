// Every loss of lib/losses, by its file: class, table of options, comments. One file is one loss.
import { readdirSync, readFileSync } from 'node:fs'
import { Dataset } from '../../lib/data/dataset.js'
import * as crossEncoderLosses from '../../lib/losses/cross-encoder/index.js'
import * as losses from '../../lib/losses/index.js'
import type { Loss } from '../../lib/losses/loss.js'
import type { Kind } from '../../lib/options/kinds.js'
import type { NotBuilt } from '../../lib/options.js'
import { type ClassComment, commentsIn, type Documented } from './comments.js'

export interface LossFile {
  name: string
  isForPairs: boolean
  /** Path in the repository without its ending: `lib/losses/cosent`. */
  path: string
  class: LossClass
  /** The class that it extends, where that is a loss too. */
  base: string | undefined
  options: Readonly<Record<string, Kind>>
  notBuilt: Readonly<Record<string, NotBuilt>>
  comment: ClassComment
  /** What is different from sentence-transformers: of its own comment, or of a class that it extends. */
  differs: string | undefined
  /** The comment of an option. */
  optionComment(name: string): string | undefined
}
type LossClass = new (...args: never[]) => Loss

const ROOT = new URL('../../../', import.meta.url)

const folders = ['lib/losses/', 'lib/losses/cross-encoder/']

/** By folder: interfaces of the same name mean different losses. */
const documented = new Map(folders.map((folder) => [folder, documentedIn(folder)]))

export const lossFiles: readonly LossFile[] = (await Promise.all(folders.map(filesIn))).flat()

function documentedIn(folder: string): Documented {
  const all: Documented = { classes: new Map(), interfaces: new Map() }
  for (const file of sources(folder)) {
    const found = commentsIn(readFileSync(new URL(folder + file, ROOT), 'utf8'))
    for (const [name, comment] of found.classes) all.classes.set(name, comment)
    for (const [name, members] of found.interfaces) all.interfaces.set(name, members)
  }
  return all
}

function sources(folder: string): string[] {
  return readdirSync(new URL(folder, ROOT)).filter((file) => file.endsWith('.ts'))
}

async function filesIn(folder: string): Promise<LossFile[]> {
  const found: LossFile[] = []
  for (const file of sources(folder)) {
    const path = folder + file.replace(/\.ts$/, '')
    const module: Record<string, unknown> = await import(new URL(`dist/${path}.js`, ROOT).href)
    if (!module.OPTIONS) continue
    const classes = Object.values(module).filter(isLossClass)
    if (classes.length !== 1) throw new Error(`${path}.ts has ${classes.length} losses: one file is one loss`)
    found.push(lossFile(folder, path, classes[0]!, module))
  }
  return found.sort((a, b) => a.name.localeCompare(b.name))
}

function isLossClass(value: unknown): value is LossClass {
  return typeof value === 'function' && typeof value.prototype?.spec === 'function'
}

function lossFile(folder: string, path: string, loss: LossClass, module: Record<string, unknown>): LossFile {
  const { classes, interfaces } = documented.get(folder)!
  const { name } = loss
  const comment = classes.get(name)
  if (comment === undefined) throw new Error(`${path}.ts: the class has no comment`)
  const base = Object.getPrototypeOf(loss) as LossClass
  const docOf = (type: string, member: string): string | undefined => {
    const found = interfaces.get(type)
    return found?.members.get(member) ?? found?.bases.map((each) => docOf(each, member)).find(Boolean)
  }
  const optionsType = [`${name}Options`, `${name}LossOptions`].find((type) => interfaces.has(type))
  return {
    name,
    path,
    isForPairs: folder.endsWith('cross-encoder/'),
    class: loss,
    base: base.name !== '' && isLossClass(base) && base.name in losses ? base.name : undefined,
    options: module.OPTIONS as LossFile['options'],
    notBuilt: (module.NOT_BUILT as LossFile['notBuilt'] | undefined) ?? {},
    comment,
    differs: comment.points.get('Differs') ?? classes.get(base.name)?.points.get('Differs'),
    optionComment: (option) => docOf(optionsType ?? sharedOptions(path), option),
  }
}

/** The type of the options that the constructor takes, of losses that share one. */
function sharedOptions(path: string): string {
  const source = readFileSync(new URL(`${path}.ts`, ROOT), 'utf8')
  return /constructor\(\.\.\.args: \w+<(\w+)/.exec(source)?.[1] ?? ''
}

/** What stands for the model of an example. */
const model = { embeddingDimension: 384, encode: () => Promise.reject(new Error('not called')) }

/** What the example of a comment makes, and what it gave to the constructor. */
export interface Example {
  trainDataset: Dataset
  loss: Loss
  args: unknown[]
}

export async function runExample({ comment, class: own, isForPairs }: LossFile): Promise<Example> {
  let given: unknown[] = []
  const watched = new Proxy(own, {
    construct(target, args) {
      given = args
      return new target(...(args as never[]))
    },
  })
  const exported = { ...(isForPairs ? crossEncoderLosses : losses), [own.name]: watched }
  const values = {
    Dataset,
    SentenceTransformer: { load: async () => model },
    [isForPairs ? 'crossEncoderLosses' : 'losses']: exported,
  }
  // What is written for TypeScript: `u!` is u.
  const code = comment.example.replace(/(?<=[\w\]])!/g, '')
  const AsyncFunction = (async () => {}).constructor as new (...code: string[]) => (...values: unknown[]) => unknown
  const run = new AsyncFunction(...Object.keys(values), `${code}\nreturn { trainDataset, loss }`)
  const made = (await run(...Object.values(values))) as Omit<Example, 'args'>
  return { ...made, args: given }
}
