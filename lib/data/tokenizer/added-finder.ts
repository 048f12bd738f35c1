/** Above this number of tokens, `AddedTokens` is faster. */
const MAX_ADDED = 1000
/** UTF-16 units of a token that are compared before all of it. */
const LEAD = 2

/** Returns a test for texts that hold one of some tokens; undefined where no fast test exists. */
export function tokenFinder(contents: readonly string[]): ((text: string) => boolean) | undefined {
  if (contents.includes('') || contents.length > MAX_ADDED) return undefined
  // The engine searches for one unit far faster than for two, and most texts lack the first unit of all tokens.
  const groups = groupBy(contents, 1).map(({ key, members }) => ({ first: key, leads: groupBy(members, LEAD) }))
  return (text) =>
    groups.some(
      ({ first, leads }) =>
        text.includes(first) &&
        leads.some(({ key, members }) => text.includes(key) && members.some((content) => text.includes(content))),
    )
}

/** Texts in groups with the same first units. */
function groupBy(texts: readonly string[], units: number): { key: string; members: string[] }[] {
  const groups = new Map<string, string[]>()
  for (const text of texts) {
    const key = text.slice(0, units)
    const members = groups.get(key)
    if (members) members.push(text)
    else groups.set(key, [text])
  }
  return [...groups].map(([key, members]) => ({ key, members }))
}
