// What a kind of option takes, in the words of a table.
import type { Kind } from '../../lib/options/kinds.js'
import { code } from './page.js'

/** What may be given. @param takes in words, where the kind does not say all */
export function takes({ values, type, expected }: Kind, words?: string): string {
  const orNull = type.endsWith('| null') && !expected.endsWith('null') ? ', or `null`' : ''
  if (words !== undefined) return words + orNull
  if (values !== undefined) return values.map(code).join(', ') + orNull
  return (type.startsWith('boolean') ? '`true` or `false`' : plain(expected)) + orNull
}

/** An expected value outside of its sentence. */
export function plain(expected: string): string {
  return expected.replace(/,$/, '')
}
