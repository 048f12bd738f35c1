/**
 * Circles of a graph: from a file along its imports back to itself. Every circle has an edge in one of those that are returned,
 * so there is none if the result is empty.
 * @param edges by node: what it refers to
 */
export function findCircles(edges: ReadonlyMap<string, Iterable<string>>): string[][] {
  const circles: string[][] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (node: string) => {
    if (done.has(node)) return
    const start = path.indexOf(node)
    if (start !== -1) {
      circles.push([...path.slice(start), node])
      return
    }
    path.push(node)
    for (const next of edges.get(node) ?? []) visit(next)
    path.pop()
    done.add(node)
  }
  for (const node of edges.keys()) visit(node)
  return circles
}
