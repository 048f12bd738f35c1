import type { ConfigValue } from '../native/types.js'

/** Settings that are floats in Python, whatever their value. */
const FLOATS = new Set(['pool_factor'])

/** A value of JSON as Python's repr; an array is a tuple, or a list. */
export function pythonText(value: ConfigValue, tuples = true): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'string' && value.includes("'") && !value.includes('"'))
    return `"${value.replace(/\\/g, '\\$&')}"`
  if (typeof value === 'string') return `'${value.replace(/[\\']/g, '\\$&')}'`
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) {
    const list = value.map((entry) => pythonText(entry, tuples)).join(', ')
    return tuples ? `(${list}${value.length === 1 ? ',' : ''})` : `[${list}]`
  }
  const text = (key: string, member: ConfigValue) =>
    FLOATS.has(key) && Number.isInteger(member) ? `${member}.0` : pythonText(member, tuples)
  return `{${Object.entries(value)
    .map(([key, member]) => `${pythonText(key)}: ${text(key, member)}`)
    .join(', ')}}`
}
