/** Something that whoever packs or publishes can mend: its message says how. */
export class PackError extends Error {
  name = 'PackError'
  code = 'ERR_PACK'
}
