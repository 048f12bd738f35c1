/** Writes over everything that an object holds, as deep as it goes. */
export function spoil(value: unknown): void {
  if (value instanceof Map || value instanceof Set) value.clear()
  if (typeof value !== 'object' || value === null || typeof (value as { encode?: unknown }).encode === 'function')
    return
  for (const [name, inner] of Object.entries(value)) {
    spoil(inner)
    const other = typeof inner === 'string' ? 'x' : typeof inner === 'number' ? 2 : undefined
    if (other !== undefined) Object.assign(value, { [name]: other })
  }
  if (Array.isArray(value)) value.length = 1
}
