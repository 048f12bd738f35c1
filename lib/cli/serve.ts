import type { Command } from './command.js'
import { LOAD_OPTIONS } from './model-options.js'

const PORTS = { least: 0, most: 65535 }

export const serve: Command = {
  name: 'serve',
  summary: 'answers over HTTP, with the routes of text-embeddings-inference, OpenAI, Cohere and Jina',
  options: {
    model: {
      type: 'texts',
      value: 'folder or id',
      help: 'a model of embeddings, a cross-encoder or a classifier; may be given several times',
    },
    'served-model-name': {
      type: 'texts',
      value: 'name',
      help: 'what requests call it; once for each --model, in the same order (default: the last part of a folder, or the id)',
    },
    host: { type: 'string', value: 'address', help: 'where to listen; 0.0.0.0 for all', fallback: '127.0.0.1' },
    port: { type: 'integer', value: 'n', help: 'port; 0 for any that is free', fallback: '3000', ...PORTS },
    'uds-path': { type: 'string', value: 'path', help: 'a unix socket, in place of host and port' },
    'prometheus-port': {
      type: 'integer',
      value: 'n',
      help: 'a port of its own for /metrics (default: only beside the other routes)',
      ...PORTS,
    },
    ...LOAD_OPTIONS,
    threads: { type: 'integer', value: 'n', help: 'of the engine (default: one for each physical core)', least: 1 },
    'max-concurrent-requests': {
      type: 'integer',
      value: 'n',
      help: 'texts in work; more are answered by 429',
      fallback: '512',
      least: 1,
    },
    'max-batch-tokens': {
      type: 'integer',
      value: 'n',
      help: 'tokens that are computed together, also of several requests (default: 2048 for few short texts, else 16384)',
      least: 1,
    },
    'max-client-batch-size': { type: 'integer', value: 'n', help: 'texts of one request', fallback: '32', least: 1 },
    'payload-limit': { type: 'integer', value: 'bytes', help: 'of a body', fallback: '2000000', least: 1 },
    'auto-truncate': {
      type: 'string',
      help: 'whether texts that are too long are cut; else they are answered by 422',
      choices: ['true', 'false'],
      fallback: 'true',
      alone: 'true',
    },
    'default-prompt-name': {
      type: 'string',
      value: 'name',
      help: "the prompt of texts where a request names none (default: the model's)",
    },
    deadline: {
      type: 'integer',
      value: 'ms',
      help: 'after which a request is given up (default: never)',
      least: 1,
    },
    'api-key': {
      type: 'texts',
      value: 'key',
      help: 'what requests have to know; several are accepted. Better in the variable API_KEY: others see arguments',
    },
    'cors-allow-origin': {
      type: 'texts',
      value: 'origin',
      help: 'of web pages that may ask; * for all; may be given several times (default: none)',
    },
    'base-path': { type: 'string', value: 'path', help: 'what stands before every path: /api (default: nothing)' },
    learner: {
      type: 'string',
      value: 'folder',
      help: 'lets the first model learn from POST /feedback; feedback and versions are kept in the folder',
    },
    'learner-on': {
      type: 'string',
      value: 'data',
      help: 'with --learner: what versions are measured on, as --on of evaluate; the better one serves',
    },
    'learner-every': {
      type: 'integer',
      value: 'n',
      help: 'with --learner: new pairs that start a training; 0: only POST /learn does',
      fallback: '200',
      least: 0,
    },
    'json-output': { type: 'boolean', help: 'log in JSON, a record a line' },
  },
  notes: `GET /docs on the server describes the routes. The log goes to stderr; it has neither texts nor keys.
Ctrl-C or SIGTERM ends the server when the requests in work have their answers; the second one ends it at once.
In place of --api-key: the variable API_KEY, with commas between several keys.`,
  examples: [
    ['npx sentence-torch serve --model all-MiniLM-L6-v2', 'http://127.0.0.1:3000'],
    [
      'npx sentence-torch serve --model runs/a/model --served-model-name mine --model cross-encoder/ms-marco-MiniLM-L6-v2 --served-model-name rerank',
      'two models by name',
    ],
    [
      'API_KEY=secret npx sentence-torch serve --model runs/a/model --host 0.0.0.0 --port 8080 --json-output',
      'for other machines',
    ],
    [
      'npx sentence-torch serve --model all-MiniLM-L6-v2 --learner runs/learner --learner-on stsb/dev.tsv',
      'a model that learns while it serves',
    ],
  ],
  async run(values, io) {
    const { serveModels } = await import('./serve-models.js')
    return serveModels(values, io)
  },
}
