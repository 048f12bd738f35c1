/** Options of commands that ask a service, and what they mean. */
import type { EndpointOptions } from '../recipes/queries/chat.js'
import { given, type Option, textOf, UsageError, type Values } from './command.js'

/** Those of every service; the command names the service and its model. */
export const SERVICE_OPTIONS: Readonly<Record<string, Option>> = {
  'key-variable': {
    type: 'string',
    value: 'name',
    help: 'the environment variable with the key of the service',
    fallback: 'no key',
  },
  concurrency: { type: 'integer', value: 'n', help: 'requests at once', fallback: '4', least: 1 },
  'requests-per-minute': { type: 'integer', value: 'n', help: 'most requests within a minute', least: 1 },
  retries: { type: 'integer', value: 'n', help: 'further tries where the service is busy', fallback: '5', least: 0 },
}

const NAMES = {
  ...{ prompt: 'prompt', concurrency: 'concurrency', retries: 'retries' },
  ...{ 'key-variable': 'keyVariable', 'requests-per-minute': 'requestsPerMinute' },
}

/**
 * The service of `--endpoint`, if there is one.
 * @param model the option that names its model
 * @throws UsageError for options of a service without one
 */
export function serviceOf(values: Values, model: string, command: string): EndpointOptions | undefined {
  const misuse = (what: string) => new UsageError('ERR_INVALID_ARGUMENT', `${command}: ${what}`, command)
  const baseUrl = textOf(values, 'endpoint')
  if (baseUrl === undefined) {
    const wrong = [model, ...Object.keys(NAMES)].find((name) => values.options[name] !== undefined)
    if (wrong !== undefined) throw misuse(`--${wrong} is for a service, which --endpoint names`)
    return undefined
  }
  const name = textOf(values, model)
  if (name === undefined) throw misuse(`--endpoint needs --${model}`)
  return { baseUrl, ...given(values, NAMES), model: name } as EndpointOptions
}
