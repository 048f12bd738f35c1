// The documentation comments of TypeScript files: of classes, and of the members of interfaces.

export interface Documented {
  /** By class. */
  classes: Map<string, ClassComment>
  /** By interface: the comments of its members, and the interfaces that it extends. */
  interfaces: Map<string, { bases: string[]; members: Map<string, string> }>
}

/** A comment as the losses have it: a summary, a list of bold names, paragraphs with the sources, an example. */
export interface ClassComment {
  summary: string
  /** `Data`, `Formula`, `Batches`, …, in their order. */
  points: Map<string, string>
  sources: string
  example: string
  deprecated: string
}

const COMMENT = String.raw`/\*\*((?:(?!\*/)[\s\S])*)\*/\s*`

export function commentsIn(source: string): Documented {
  const classes = new Map<string, ClassComment>()
  for (const [, text, name] of source.matchAll(new RegExp(`${COMMENT}export (?:abstract )?class (\\w+)`, 'g'))) {
    classes.set(name!, classComment(lines(text!)))
  }
  const interfaces: Documented['interfaces'] = new Map()
  for (const [, name, bases = '', body] of source.matchAll(
    /export interface (\w+)(?:\s+extends ([^{]+))?\s*\{([\s\S]*?)\n?\}\n/g,
  )) {
    const members = [...body!.matchAll(new RegExp(`${COMMENT}(\\w+)\\??:`, 'g'))]
    interfaces.set(name!, {
      bases: bases.split(',').flatMap((base) => base.trim() || []),
      members: new Map(members.map(([, text, member]) => [member!, oneLine(lines(text!).join('\n'))])),
    })
  }
  for (const [, name, base] of source.matchAll(/export type (\w+) = (\w+)\n/g)) {
    interfaces.set(name!, { bases: [base!], members: new Map() })
  }
  return { classes, interfaces }
}

/** What stands in a comment, without the stars. */
function lines(text: string): string[] {
  return text.split('\n').map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
}

function classComment(all: readonly string[]): ClassComment {
  const text = all.join('\n').trim()
  const [head = '', ...tags] = text.split(/\n(?=@)/)
  const tag = (name: string) => tags.find((entry) => entry.startsWith(`@${name}`))?.slice(name.length + 2) ?? ''
  const points = new Map<string, string>()
  const paragraphs = head.split(/\n\s*\n/).map((paragraph) => paragraph.trim())
  const [summary = '', ...rest] = paragraphs.filter((paragraph) => !paragraph.startsWith('- **'))
  for (const paragraph of paragraphs.filter((paragraph) => paragraph.startsWith('- **'))) {
    for (const point of paragraph.split(/\n(?=- \*\*)/)) {
      const [, name, value] = /^- \*\*(.+?)\*\*: ([\s\S]+)$/.exec(point) ?? []
      points.set(name!, oneLine(value!))
    }
  }
  return {
    summary: oneLine(summary),
    points,
    sources: oneLine(rest.join(' ')),
    example: tag('example').trim(),
    deprecated: oneLine(tag('deprecated')),
  }
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim()
}
