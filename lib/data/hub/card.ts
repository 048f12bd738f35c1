import { type Document, isAlias, isMap, isScalar, parseDocument, visit } from 'yaml'
import { describe, SentenceTorchError } from '../../errors.js'

/** The files that a dataset card assigns to a configuration, from the card's YAML head. */
export interface CardConfig {
  name: string
  /** Whether the card marks it as the default. */
  isDefault: boolean
  /** The folder of its files, without a slash at its end; empty for the whole repository. */
  folder: string
  /** File patterns of each split, relative to the top of the repository; undefined where the file names show the splits. */
  splits: Map<string, string[]> | undefined
}

/** Limit of bytes in the head. Parsing that many takes a few seconds. */
const MAX_HEAD = 2 * 1024 * 1024
/** Limit of aliases. Each one is searched for in the whole head, and repeats the value that it names. */
const MAX_ALIASES = 100
/** Names of splits. Python's `\w` knows the letters of all languages. */
const splitName = /^[\p{L}\p{N}_]+(\.[\p{L}\p{N}_]+)*$/u

/**
 * The `configs` of a dataset card (README.md), as the `datasets` package reads them; undefined without any.
 * @param file the name for errors
 * @throws SentenceTorchError ERR_INVALID_FILE for YAML that cannot be read, and for configs without a meaning
 */
export function cardConfigs(card: string, file = 'README.md'): CardConfig[] | undefined {
  const head = /^\s*---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(card)?.[1]
  // Most heads have no configs, and some heads are long.
  if (!head?.includes('configs')) return undefined
  const configs = new Reader(file).configs(head)
  return configs.length === 0 ? undefined : configs
}

class Reader {
  constructor(private readonly file: string) {}

  configs(head: string): CardConfig[] {
    const found = this.parse(head)
    if (isAbsent(found)) return []
    if (!Array.isArray(found)) throw this.wrong('configs', 'a list', found)
    const configs = found.map((entry: unknown, i) => this.config(entry, `configs[${i}]`))
    const [first, second] = configs.filter((config) => config.isDefault)
    if (first && second && first.name !== second.name) {
      throw this.invalid(`configs: ${describe(first.name)} and ${describe(second.name)} are both the default`)
    }
    return configs
  }

  /** The value of `configs`: lists, objects and texts. All scalars are texts, so that names stay as the card shows them. */
  private parse(head: string): unknown {
    if (head.length > MAX_HEAD) throw this.invalid(`its YAML head is longer than ${MAX_HEAD} characters`)
    // The library's errors with source lines, and its search for equal keys, take quadratic time.
    const options = {
      schema: 'failsafe',
      merge: true,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'error',
    } as const
    try {
      const document = parseDocument(head, options)
      const [error] = document.errors
      if (error) throw this.unreadable(error, ` (${place(head, error.pos[0])})`)
      this.checkNodes(document)
      return isMap(document.contents) ? toPlain(document.get('configs', true), document) : undefined
    } catch (error) {
      if (error instanceof SentenceTorchError) throw error
      throw this.unreadable(error)
    }
  }

  private checkNodes(document: Document): void {
    let aliases = 0
    visit(document, {
      Alias: () => {
        if (++aliases > MAX_ALIASES) throw this.invalid(`its YAML head has more than ${MAX_ALIASES} aliases`)
      },
      Map: (_, map) => {
        const keys = new Set<unknown>()
        for (const { key } of map.items) {
          const name = isScalar(key) ? key.value : key
          if (keys.has(name) && name !== '<<') throw this.invalid(`its YAML head has the key ${String(name)} twice`)
          keys.add(name)
        }
      },
    })
  }

  private config(entry: unknown, key: string): CardConfig {
    if (!isObject(entry)) throw this.wrong(key, 'keys and values', entry)
    const name = own(entry, 'config_name')
    if (typeof name !== 'string' || name === '') throw this.wrong(`${key}.config_name`, 'a name', name)
    const dataDir = own(entry, 'data_dir')
    if (!isAbsent(dataDir) && typeof dataDir !== 'string') throw this.wrong(`${key}.data_dir`, 'a folder', dataDir)
    const folder = isAbsent(dataDir) ? '' : dataDir.replace(/^(\.?\/)+|^\.$|\/+$/g, '')
    const files = own(entry, 'data_files')
    return {
      name,
      isDefault: name === 'default' || this.isTrue(own(entry, 'default'), `${key}.default`),
      folder,
      splits: isAbsent(files) ? undefined : this.splits(files, folder, `${key}.data_files`),
    }
  }

  private isTrue(value: unknown, key: string): boolean {
    if (isAbsent(value)) return false
    const text = String(value).toLowerCase()
    if (['true', 'yes', 'on'].includes(text)) return true
    if (['false', 'no', 'off'].includes(text)) return false
    throw this.wrong(key, 'true or false', value)
  }

  /** A pattern, a list of patterns (all of `train`), or a list of splits with their patterns. */
  private splits(files: unknown, folder: string, key: string): Map<string, string[]> {
    const entries: unknown[] = typeof files === 'string' ? [files] : Array.isArray(files) ? files : []
    if (entries.length === 0) throw this.wrong(key, 'a pattern, or a list of patterns or of splits', files)
    if (!entries.some(isObject)) return new Map([['train', this.patterns(entries, folder, key)]])
    const splits = new Map<string, string[]>()
    entries.forEach((entry, i) => {
      const here = `${key}[${i}]`
      if (!isObject(entry)) throw this.wrong(here, 'a split and its path, as those beside it', entry)
      const split = own(entry, 'split')
      if (typeof split !== 'string' || !splitName.test(split)) {
        throw this.wrong(`${here}.split`, 'a name of letters, digits, _ and dots', split)
      }
      if (splits.has(split)) throw this.invalid(`${here}.split: ${describe(split)} is there twice`)
      const path = own(entry, 'path')
      splits.set(split, this.patterns(Array.isArray(path) ? path : [path], folder, `${here}.path`))
      const other = Object.keys(entry).find((name) => name !== 'split' && name !== 'path')
      if (other !== undefined) throw this.invalid(`${here}: expected split and path alone, found ${describe(other)}`)
    })
    return splits
  }

  private patterns(values: readonly unknown[], folder: string, key: string): string[] {
    return values.map((value) => {
      if (typeof value !== 'string' || value === '') throw this.wrong(key, 'a file pattern or a list of them', value)
      return folder === '' ? value : `${folder}/${value}`
    })
  }

  /**
   * Refuses an unknown alias (an unquoted pattern looks like one), too many aliases, too much nesting, and what YAML
   * forbids.
   */
  private unreadable(error: unknown, where = ''): SentenceTorchError {
    const { message } = error as Error
    const reason = /call stack/.test(message) ? 'it is nested too deep' : message
    const remedy = message.startsWith('Unresolved alias') ? '; what begins with * needs quotes' : ''
    return this.invalid(`its YAML head cannot be read: ${reason}${where}${remedy}`, error)
  }

  private wrong(key: string, expected: string, found: unknown): SentenceTorchError {
    return this.invalid(`${key}: expected ${expected}, found ${found === undefined ? 'nothing' : describe(found)}`)
  }

  private invalid(what: string, cause?: unknown): SentenceTorchError {
    return new SentenceTorchError('ERR_INVALID_FILE', `${this.file}: ${what}`, { cause })
  }
}

function toPlain(node: unknown, document: Document): unknown {
  if (isAlias(node)) return toPlain(node.resolve(document), document)
  return (node as { toJS?(document: Document): unknown } | undefined)?.toJS?.(document)
}

function place(text: string, at: number): string {
  const lines = text.slice(0, at).split('\n')
  // The head starts on the second line.
  return `line ${lines.length + 1}, column ${lines.at(-1)!.length + 1}`
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function own(object: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(object, key)?.value
}

/** YAML's spellings of null, because all scalars are texts here. */
function isAbsent(value: unknown): value is undefined {
  return value === undefined || value === null || (typeof value === 'string' && /^(null|~|)$/i.test(value))
}
