import type { Call } from './call.js'
import type { ErrorShape } from './errors.js'
import { type BodyOf, type Fields, type JsonSchema, readBody } from './fields.js'

/** What a route answers. */
export interface Reply {
  readonly body: string | AsyncIterable<string>
  /** Of the body. */
  readonly type: string
  readonly status?: number
}

export interface Route {
  readonly method: 'GET' | 'POST'
  /** `{…}` at the end stands for any text. */
  readonly path: string
  readonly aliases?: readonly string[]
  readonly summary: string
  readonly tag: 'Text Embeddings Inference' | 'OpenAI' | 'Cohere and Jina' | 'Learning' | 'Service'
  readonly errors: ErrorShape
  /** Whether it is answered without an API key. */
  readonly isPublic: boolean
  /** Whether it takes texts to a model: such a request is refused, body unread, where no more texts may be in work. */
  readonly takesTexts: boolean
  /** Members of its body; none for GET. */
  readonly fields: Fields
  readonly example?: unknown
  readonly answer: { readonly description: string; readonly schema: JsonSchema; readonly type?: string }
  /** @param body as it was parsed @param rest what `{…}` stood for */
  handle(call: Call, body: unknown, rest: string): Promise<Reply>
}

type Parts<F extends Fields> = Omit<Route, 'handle' | 'errors' | 'isPublic' | 'takesTexts' | 'fields'> &
  Partial<Pick<Route, 'errors' | 'isPublic' | 'takesTexts'>> & {
    readonly fields: F
    handle(call: Call, body: BodyOf<F>): Promise<Reply>
  }

/** A route that takes a body; texts to a model, too, unless it says otherwise. */
export function post<F extends Fields>({
  errors = 'tei',
  isPublic = false,
  takesTexts = true,
  ...parts
}: Parts<F>): Route {
  const handle = (call: Call, body: unknown) => parts.handle(call, readBody(parts.fields, body))
  return { ...parts, errors, isPublic, takesTexts, handle }
}

/** A route that takes none, and is public unless it says otherwise. */
export function get(
  parts: Omit<Route, 'handle' | 'method' | 'errors' | 'isPublic' | 'takesTexts' | 'fields'> &
    Partial<Pick<Route, 'errors' | 'isPublic'>> & { handle(call: Call, rest: string): Promise<Reply> },
): Route {
  const { errors = 'tei', isPublic = true } = parts
  const more = { errors, isPublic, takesTexts: false, fields: {} }
  return { ...parts, method: 'GET', ...more, handle: (call, _, rest) => parts.handle(call, rest) }
}

export function json(value: unknown): Reply {
  return { body: JSON.stringify(value), type: 'application/json' }
}
