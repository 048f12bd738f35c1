/** The OpenAPI document of routes. */
import { bodySchema, type JsonSchema } from './fields.js'
import type { Route } from './route.js'

export interface OpenApi {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: object
}

export interface Operation {
  readonly tags: readonly string[]
  readonly summary: string
  readonly requestBody?: { readonly required: true; readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>
  readonly [member: string]: unknown
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema; readonly example?: unknown }>>

const TEI_ERROR: JsonSchema = {
  type: 'object',
  properties: {
    error: { type: 'string' },
    error_type: { type: 'string', enum: ['Unhealthy', 'Backend', 'Overloaded', 'Validation', 'Tokenizer', 'Empty'] },
  },
}

const OPENAI_ERROR: JsonSchema = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: 'string', nullable: true },
        code: { type: 'string', nullable: true },
      },
    },
  },
}

const SCHEMAS = {
  TeiError: TEI_ERROR,
  OpenAiError: OPENAI_ERROR,
  CohereError: { type: 'object', properties: { message: { type: 'string' }, ...(OPENAI_ERROR.properties as object) } },
}
const SHAPES = { tei: 'TeiError', openai: 'OpenAiError', cohere: 'CohereError' }

const UNKNOWN = 'The request has none of the keys of the server'

/** What can go wrong with a body. */
const FAILURES = {
  400: 'The input is empty, or the body is no JSON',
  401: UNKNOWN,
  404: 'The model is not served',
  405: 'The path has another method, which the header Allow names',
  408: 'The request did not arrive in time',
  412: 'Another version of the model serves than the header x-model-version asks for',
  413: 'The body is larger than the payload limit',
  415: 'The body is not application/json, or is packed',
  422: 'A member does not fit, a text is too long, or the batch is too large',
  424: 'The model does not do this, or failed',
  429: 'The server is overloaded: try again after the seconds of the header Retry-After',
}

/** @param version of the package */
export function openApi(routes: readonly Route[], version: string): OpenApi {
  const paths: Record<string, Record<string, Operation>> = {}
  for (const route of routes) {
    for (const path of [route.path, ...(route.aliases ?? [])]) {
      paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, path) }
    }
  }
  return {
    openapi: '3.0.3',
    info: {
      title: 'sentence-torch',
      version,
      description:
        'Embeddings, similarities, ranks and classes of texts. `/models/NAME` before a path names the model.',
    },
    paths,
    components: {
      schemas: SCHEMAS,
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
    },
  }
}

function operation(route: Route, path: string): Operation {
  const { summary, tag, answer, errors, fields, example, isPublic, method } = route
  const failed = { 'application/json': { schema: { $ref: `#/components/schemas/${SHAPES[errors]}` } } }
  const failures = Object.entries(method === 'POST' ? FAILURES : isPublic ? {} : { 401: UNKNOWN })
  const [, parameter] = /\{(\w+)\}/.exec(path) ?? []
  return {
    tags: [tag],
    summary,
    ...(parameter && { parameters: [{ name: parameter, in: 'path', required: true, schema: { type: 'string' } }] }),
    ...(!isPublic && { security: [{ key: [] }, {}] }),
    ...(method === 'POST' && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: bodySchema(fields), ...(example !== undefined && { example }) } },
      },
    }),
    responses: {
      200: {
        description: answer.description,
        content: { [answer.type ?? 'application/json']: { schema: answer.schema } },
      },
      ...Object.fromEntries(failures.map(([status, description]) => [status, { description, content: failed }])),
    },
  }
}
