/** What MLflow's own client and transformers' callback read of the environment. */
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import type { RequestLimits } from '../../io/requests.js'

export interface MlflowSettings {
  /** Without a slash at its end, and without user and password. */
  uri: string
  headers: Readonly<Record<string, string>>
  /** By name; else by id. */
  experiment: { name: string } | { id: string }
  /** A run that is continued. */
  runId: string | undefined
  tags: Readonly<Record<string, string>>
  flattensParams: boolean
  mostParams: number
  limits: RequestLimits
}

type Environment = Readonly<Record<string, string | undefined>>

const TRUE = ['1', 'ON', 'YES', 'TRUE']
const isTrue = (value: string | undefined) => value !== undefined && TRUE.includes(value.toUpperCase())

/** Variables that ask for what is not built, and what to do. */
const NOT_BUILT: Readonly<Record<string, string>> = {
  HF_MLFLOW_LOG_ARTIFACTS: 'checkpoints are not uploaded',
  MLFLOW_TRACKING_INSECURE_TLS: 'certificates are checked; NODE_EXTRA_CA_CERTS adds your own',
}

/**
 * @param given the argument `mlflowTrackingUri`
 * @returns undefined where `DISABLE_MLFLOW_INTEGRATION` is true
 * @throws ERR_INVALID_ARGUMENT for a missing or wrong address, or tags that are no object; ERR_NOT_IMPLEMENTED for addresses that are
 * no server's
 */
export function mlflowSettings(given: string | null, env: Environment = process.env): MlflowSettings | undefined {
  if (isTrue(env.DISABLE_MLFLOW_INTEGRATION)) return undefined
  for (const [name, instead] of Object.entries(NOT_BUILT)) {
    if (isTrue(env[name])) throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `${name} is not implemented: ${instead}`)
  }
  const address = given ?? env.MLFLOW_TRACKING_URI
  if (!address) {
    const message =
      "reportTo 'mlflow' needs the address of a server: mlflowTrackingUri, or the variable MLFLOW_TRACKING_URI"
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const url = urlOf(address, given === null ? 'MLFLOW_TRACKING_URI' : 'mlflowTrackingUri')
  const name = env.MLFLOW_EXPERIMENT_NAME
  return {
    uri: `${url.origin}${url.pathname}`.replace(/\/+$/, ''),
    headers: credentials(url, env),
    experiment: name ? { name } : { id: env.MLFLOW_EXPERIMENT_ID || '0' },
    runId: env.MLFLOW_RUN_ID || undefined,
    tags: tagsOf(env.MLFLOW_TAGS),
    flattensParams: isTrue(env.MLFLOW_FLATTEN_PARAMS),
    mostParams: countOf(env.MLFLOW_MAX_LOG_PARAMS) ?? Number.POSITIVE_INFINITY,
    limits: {
      ...{ concurrency: 1, requestsPerMinute: null },
      retries: countOf(env.MLFLOW_HTTP_REQUEST_MAX_RETRIES) ?? 3,
      timeout: Math.max(1, countOf(env.MLFLOW_HTTP_REQUEST_TIMEOUT) ?? 120),
    },
  }
}

function urlOf(address: string, where: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  // The address may hold a password.
  if (url === undefined && address !== 'databricks') throw invalidArgument(where, 'the address of a server', '(no URL)')
  const message = `${where}: only http:// and https:// are implemented; \`mlflow server\` serves files and databases`
  throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
}

/** Source: mlflow `rest_utils.http_request`: user and password, else the token. */
function credentials(url: URL, env: Environment): Record<string, string> {
  const [user, password] = [
    env.MLFLOW_TRACKING_USERNAME || decodeURIComponent(url.username),
    env.MLFLOW_TRACKING_PASSWORD || decodeURIComponent(url.password),
  ]
  if (user && password) return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
  const token = env.MLFLOW_TRACKING_TOKEN
  return token ? { authorization: `Bearer ${token}` } : {}
}

function tagsOf(text: string | undefined): Record<string, string> {
  if (!text) return {}
  const wrong = invalidArgument('MLFLOW_TAGS', 'a JSON object of tags', text)
  let tags: unknown
  try {
    tags = JSON.parse(text)
  } catch {
    throw wrong
  }
  if (typeof tags !== 'object' || tags === null || Array.isArray(tags)) throw wrong
  const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, textOf(value)]))
}

/** Digits alone count, as in transformers. */
function countOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}
