import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { listed } from '../readers/names.js'
import { cardConfigs } from './card.js'
import { FileMatcher } from './glob.js'

/** Files of every split of every configuration. */
export interface Layout {
  configs: Map<string, Map<string, string[]>>
  /** The configuration to take when none is requested. */
  fallback?: string
}

/** Names of a split in paths, as in the `datasets` package. */
const keywords: Record<string, readonly string[]> = {
  validation: ['validation', 'valid', 'dev', 'val'],
  test: ['test', 'testing', 'eval', 'evaluation'],
  train: ['train', 'training'],
}

/**
 * The splits of a repository, by its card or else by the names of its Parquet files. Undefined without any Parquet file.
 * @param cardName the card's name in errors
 */
export function repositoryLayout(
  files: readonly string[],
  card: string | undefined,
  cardName?: string,
): Layout | undefined {
  const parquet = files.filter((file) => file.endsWith('.parquet')).sort()
  const described = card === undefined ? undefined : cardConfigs(card, cardName)
  if (described === undefined) return parquet.length === 0 ? undefined : layoutByName(parquet)
  const layout: Layout = { configs: new Map() }
  const matcher = new FileMatcher(files, cardName)
  for (const { name, isDefault, folder, splits } of described) {
    const found = splits ? matchedSplits(splits, matcher) : splitsByName(parquet, folder)
    if (found.size > 0) layout.configs.set(name, found)
    if (isDefault) layout.fallback = name
  }
  return layout.configs.size === 0 ? undefined : layout
}

function matchedSplits(splits: ReadonlyMap<string, readonly string[]>, matcher: FileMatcher): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const [split, patterns] of splits) {
    const matched = [...new Set(patterns.flatMap((pattern) => matcher.match(pattern)))].sort()
    // Other formats are read from the hub's conversion.
    if (matched.length > 0 && matched.every((file) => file.endsWith('.parquet'))) found.set(split, matched)
  }
  return found
}

/** The splits of the files in a folder for which the card has no patterns. */
function splitsByName(files: readonly string[], folder: string): Map<string, string[]> {
  const beginning = folder === '' ? '' : `${folder}/`
  const splits = new Map<string, string[]>()
  for (const file of files) {
    if (file.startsWith(beginning)) addTo(splits, splitOf(file.slice(beginning.length).split('/')), file)
  }
  return splits
}

/** Without a card, all files are one configuration, unless each lies in a folder that is not named `data`. */
function layoutByName(files: readonly string[]): Layout {
  const folders = files.map((file) => file.split('/').slice(0, -1))
  const configs = new Map<string, Map<string, string[]>>()
  const inFolders = folders.every(([first]) => first !== undefined && first !== 'data' && splitIn(first) === undefined)
  files.forEach((file, i) => {
    const config = inFolders ? folders[i]![0]! : 'default'
    addFile(configs, config, splitOf(file.split('/').slice(inFolders ? 1 : 0)), file)
  })
  return { configs }
}

/** The file's name decides before the folder's name. */
function splitOf(parts: readonly string[]): string {
  return [...parts].reverse().map(splitIn).find(Boolean) ?? 'train'
}

/** The layout of the branch with the hub's conversions: `config/split/0000.parquet`. */
export function conversionLayout(files: readonly string[]): Layout {
  const configs = new Map<string, Map<string, string[]>>()
  for (const file of files.filter((name) => name.endsWith('.parquet')).sort()) {
    const [config, folder] = file.split('/')
    if (config === undefined || folder === undefined) continue
    const split = folder.endsWith('.parquet') ? (splitIn(folder) ?? 'train') : folder
    addFile(configs, config, split, file)
  }
  return { configs }
}

function addFile(configs: Layout['configs'], config: string, split: string, file: string): void {
  const splits = configs.get(config) ?? new Map<string, string[]>()
  configs.set(config, splits)
  addTo(splits, split, file)
}

function addTo(splits: Map<string, string[]>, split: string, file: string): void {
  const files = splits.get(split)
  if (files) files.push(file)
  else splits.set(split, [file])
}

function splitIn(part: string): string | undefined {
  const words = part.toLowerCase().split(/[^a-z]+/)
  return Object.keys(keywords).find((split) => keywords[split]!.some((word) => words.includes(word)))
}

/**
 * The files of one split.
 * @throws SentenceTorchError ERR_NOT_FOUND for an unknown configuration or split, ERR_INVALID_ARGUMENT when a configuration
 * must be chosen; both list the existing ones
 */
export function chooseFiles(id: string, layout: Layout, config: string | undefined, split: string): string[] {
  const { configs, fallback } = layout
  const names = [...configs.keys()]
  if (names.length === 0) throw new SentenceTorchError('ERR_NOT_FOUND', `The data set ${id} has no Parquet files`)
  const chosen =
    config ?? (names.length === 1 ? names[0] : [fallback, 'default'].find((name) => name && configs.has(name)))
  if (chosen === undefined) throw invalidArgument(`config of the data set ${id}`, `one of ${listed(names)}`, config)
  const splits = configs.get(chosen)
  if (!splits) {
    throw new SentenceTorchError(
      'ERR_NOT_FOUND',
      `The data set ${id} has no config ${chosen}; it has: ${listed(names)}`,
    )
  }
  const files = splits.get(split)
  if (files) return files
  const partial = splits.has(`partial-${split}`)
    ? `; of ${split} the hub has converted a part only, partial-${split}`
    : ''
  throw new SentenceTorchError(
    'ERR_NOT_FOUND',
    `The data set ${id} (config ${chosen}) has no split ${split}; it has: ${listed([...splits.keys()])}${partial}`,
  )
}
