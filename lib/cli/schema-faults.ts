/** What a JSON Schema says against a value, in words. */
import { Ajv, type ErrorObject } from 'ajv'
import { describe, suggestion } from '../errors.js'

export interface SchemaFault {
  /** The way to the value, or to the key that is too many. */
  keys: readonly (string | number)[]
  /** Whether the key itself is the fault. */
  isKey: boolean
  message: string
}

/**
 * @param schema a JSON Schema with definitions
 * @param definition the one to check against
 */
export async function schemaFaults(schema: string, definition: string, value: unknown): Promise<SchemaFault[]> {
  const ajv = new Ajv({ allErrors: true, verbose: true, strictTypes: false, strictRequired: false })
  const validate = ajv.addSchema(JSON.parse(schema), 'config').getSchema(`config#/$defs/${definition}`)!
  if (validate(value)) return []
  const errors = validate.errors ?? []
  // What no alternative of an anyOf takes is one fault.
  const whole = errors.filter(({ keyword }) => keyword === 'anyOf')
  const isInner = (error: ErrorObject) =>
    whole.some((outer) => outer !== error && error.schemaPath.startsWith(`${outer.schemaPath}/`))
  const faults = errors.filter((error) => error.keyword !== 'if' && !isInner(error)).map(faultOf)
  return faults.filter(
    ({ keys, message }, i) =>
      faults.findIndex((other) => other.message === message && other.keys.join() === keys.join()) === i,
  )
}

function faultOf({ keyword, instancePath, params, parentSchema, data, message }: ErrorObject): SchemaFault {
  const keys = instancePath
    .split('/')
    .slice(1)
    .map((part) => {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
      return /^\d+$/.test(key) ? Number(key) : key
    })
  const name = keys.join('.') || 'the config'
  switch (keyword) {
    case 'additionalProperties': {
      const key = String(params.additionalProperty)
      const known = Object.keys((parentSchema as { properties?: object }).properties ?? {})
      const close = suggestion(key, known)
      const hint = close === undefined ? `; it has: ${some(known)}` : `; did you mean ${close}?`
      return { keys: [...keys, key], isKey: true, message: `${name} has no ${JSON.stringify(key)}${hint}` }
    }
    case 'required':
      return { keys, isKey: false, message: `${name} needs ${params.missingProperty}` }
    case 'enum': {
      const allowed = (params.allowedValues as unknown[]).map(String)
      const close = typeof data === 'string' ? suggestion(data, allowed) : undefined
      const { description } = (parentSchema ?? {}) as { description?: string }
      const words = description === undefined || data === null ? '' : ` (${description})`
      const hint = close === undefined ? `expected one of ${some(allowed)}${words}` : `did you mean ${close}?`
      return { keys, isKey: false, message: `${name}: there is no ${describe(data)}; ${hint}` }
    }
    default: {
      const { description } = (parentSchema ?? {}) as { description?: string }
      const expected = description?.includes(' — ') ? description.split(' — ').at(-1) : undefined
      const limit = expected === undefined ? (message ?? keyword) : `expected ${expected}`
      return { keys, isKey: false, message: `${name}: ${limit}, found ${describe(data)}` }
    }
  }
}

/** Names that are shown. */
const SHOWN = 12

function some(names: readonly string[]): string {
  const more = names.length - SHOWN
  return names.slice(0, SHOWN).join(', ') + (more > 0 ? ` … and ${more} more` : '')
}
