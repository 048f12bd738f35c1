/** Above this number of tokens, `AddedTokens` is faster. */
const MAX_ADDED = 1000
/** UTF-16 units of a token that are compared first. */
const LEAD = 2

/** Returns a test for texts that hold one of some tokens; undefined where no fast test exists. */
export function tokenFinder(contents: readonly string[]): ((text: string) => boolean) | undefined {
  if (contents.includes('') || contents.length > MAX_ADDED) return undefined
  const leads = [...new Set(contents.map((content) => content.slice(0, LEAD)))]
  return (text) => leads.some((lead) => text.includes(lead)) && contents.some((content) => text.includes(content))
}
