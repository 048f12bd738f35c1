// What is in an SVG text: elements with attributes and texts, as a browser's parser finds them.
import { parseFragment } from 'parse5'

export interface SvgElement {
  name: string
  attributes: Readonly<Record<string, string>>
  /** All text inside. */
  text: string
}

interface Node {
  nodeName: string
  value?: string
  attrs?: { name: string; value: string }[]
  childNodes?: Node[]
}

export function elementsOf(svg: string): SvgElement[] {
  const found: SvgElement[] = []
  const textOf = (node: Node): string => node.value ?? (node.childNodes ?? []).map(textOf).join('')
  const visit = (node: Node): void => {
    if (node.attrs) {
      const attributes = Object.fromEntries(node.attrs.map(({ name, value }) => [name, value]))
      found.push({ name: node.nodeName, attributes, text: textOf(node) })
    }
    node.childNodes?.forEach(visit)
  }
  visit(parseFragment(svg) as unknown as Node)
  return found
}

/** Marks of a drawing by the name that screen readers tell. */
export function described(svg: string): Map<string, SvgElement> {
  return new Map(
    elementsOf(svg).flatMap((element) => {
      const label = element.attributes['aria-label']
      return label === undefined ? [] : [[label, element] as const]
    }),
  )
}

export function textsOf(svg: string): string[] {
  return elementsOf(svg).flatMap(({ name, text }) => (name === 'text' ? [text] : []))
}

/** The numbers of a path or another attribute. */
export function numbersOf(attribute: string | undefined): number[] {
  return (attribute?.match(/-?\d+(\.\d+)?(e-?\d+)?/g) ?? []).map(Number)
}
