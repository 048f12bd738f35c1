/** Which files a dataset card assigns to which configuration and split: the part of its YAML head that counts here. */
export interface CardConfig {
  name: string
  /** Whether the card calls it the default. */
  isDefault: boolean
  /** File patterns of each split. */
  splits: Map<string, string[]>
}

/**
 * The `configs` of a dataset card (README.md), as the hub's documentation describes them; undefined without any.
 * Only the block style of YAML that the hub writes is read.
 */
export function cardConfigs(card: string): CardConfig[] | undefined {
  const head = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card)?.[1]
  const lines = head?.split(/\r?\n/) ?? []
  const start = lines.findIndex((line) => /^configs:\s*$/.test(line))
  if (start === -1) return undefined
  const rest = lines.slice(start + 1)
  const end = rest.findIndex((line) => /^[^\s#-]/.test(line))
  return readConfigs(end === -1 ? rest : rest.slice(0, end))
}

function readConfigs(lines: readonly string[]): CardConfig[] | undefined {
  const configs: CardConfig[] = []
  let config: CardConfig | undefined
  let split = 'train'
  let folder = ''
  /** The key whose list of values goes on in the next lines. */
  let open = ''
  const addPath = (value: string) => {
    const path = folder === '' ? value : `${folder.replace(/\/+$/, '')}/${value}`
    const paths = config?.splits.get(split)
    if (paths) paths.push(path)
    else config?.splits.set(split, [path])
  }
  for (const line of lines) {
    const text = line.trim()
    if (text === '' || text.startsWith('#')) continue
    const dash = /^-\s+/.exec(text)?.[0]
    const entry = text.slice(dash?.length ?? 0)
    const key = /^([\w-]+):/.exec(entry)?.[1]
    const values = scalars(key === undefined ? entry : entry.slice(key.length + 1).trim())
    if (key === 'config_name') {
      config = { name: values[0] ?? '', isDefault: values[0] === 'default', splits: new Map() }
      configs.push(config)
      folder = ''
    } else if (key === 'default') {
      if (config && values[0] === 'true') config.isDefault = true
    } else if (key === 'data_dir') {
      folder = values[0] ?? ''
    } else if (key === 'split') {
      split = values[0] ?? 'train'
    } else if (key === 'path' || key === 'data_files') {
      if (key === 'data_files') split = 'train'
      values.forEach(addPath)
      open = key
    } else if (key === undefined && dash && open !== '') {
      values.forEach(addPath)
    }
  }
  return configs.some(({ splits }) => splits.size > 0) ? configs : undefined
}

/** One scalar, or the scalars of a flow list, without quotes. */
function scalars(text: string): string[] {
  const inner = /^\[(.*)\]$/.exec(text)
  const parts = inner ? inner[1]!.split(',') : [text]
  return parts.map((part) => part.trim().replace(/^(["'])(.*)\1$/, '$2')).filter((part) => part !== '')
}
