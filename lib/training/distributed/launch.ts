import { SentenceTorchError } from '../../errors.js'
import type { CollectiveSpec } from '../../native/types.js'

/** The place that a launcher has given this process among those that train together. A restart by the launcher has another prefix. */
export interface Launch extends Omit<CollectiveSpec, 'interface' | 'timeoutSeconds'> {
  networkInterface: string | undefined
}

type Env = Readonly<Record<string, string | undefined>>

/** Where a launcher says which process this is. */
interface Launcher {
  name: string
  rank: string
  size: readonly string[]
  /** A variable without which these do not count. */
  only?: string
  /** Where the processes meet, if MASTER_ADDR and MASTER_PORT do not say so. */
  meets?(env: Env, size: number): { host?: string | undefined; port?: number | undefined }
}

const LOOPBACK = '127.0.0.1'

/** In the order in which they are asked: torchrun starts its processes inside of the others. */
const LAUNCHERS: readonly Launcher[] = [
  { name: 'torchrun', rank: 'RANK', size: ['WORLD_SIZE'] },
  {
    name: 'Open MPI',
    rank: 'OMPI_COMM_WORLD_RANK',
    size: ['OMPI_COMM_WORLD_SIZE'],
    meets: (env, size) => (Number(env.OMPI_COMM_WORLD_LOCAL_SIZE) === size ? { host: LOOPBACK, port: 29500 } : {}),
  },
  {
    name: 'Slurm',
    rank: 'SLURM_PROCID',
    size: ['SLURM_STEP_NUM_TASKS', 'SLURM_NTASKS'],
    // Also the script of a job has a SLURM_PROCID, but only what srun has started is a step.
    only: 'SLURM_STEP_ID',
    meets: (env) => ({
      host: firstHost(env.SLURM_STEP_NODELIST ?? env.SLURM_JOB_NODELIST),
      port: 20_000 + (Number(env.SLURM_JOB_ID ?? 0) % 20_000),
    }),
  },
  {
    name: 'MPI',
    rank: 'PMI_RANK',
    size: ['PMI_SIZE'],
    meets: (env, size) => (Number(env.MPI_LOCALNRANKS) === size ? { host: LOOPBACK, port: 29500 } : {}),
  },
]

/**
 * The place of this process among several; undefined where it is alone. `SENTENCE_TORCH_DISTRIBUTED=0` says that it is alone,
 * whatever a launcher has set.
 * @throws ERR_DISTRIBUTED for variables that do not fit
 */
export function readLaunch(env: Env = process.env): Launch | undefined {
  if (env.SENTENCE_TORCH_DISTRIBUTED === '0') return undefined
  for (const launcher of LAUNCHERS) {
    const sizeName = launcher.size.find((name) => isSet(env[name]))
    if (!isSet(env[launcher.rank]) || sizeName === undefined) continue
    if (launcher.only !== undefined && !isSet(env[launcher.only])) continue
    const size = whole(env, sizeName, 1)
    if (size === 1) return undefined
    const meets = launcher.meets?.(env, size) ?? {}
    const host = isSet(env.MASTER_ADDR) ? env.MASTER_ADDR : meets.host
    const port = isSet(env.MASTER_PORT) ? whole(env, 'MASTER_PORT', 1) : meets.port
    if (host === undefined || port === undefined || port > 65_535) {
      const what = `${launcher.rank} and ${sizeName} of ${launcher.name} say that this is one of ${size} processes`
      throw failure(`${what}, but MASTER_ADDR and MASTER_PORT have to say where they meet (a port up to 65535)`)
    }
    return {
      rank: whole(env, launcher.rank, 0),
      size,
      host,
      port,
      hosted: env.TORCHELASTIC_USE_AGENT_STORE === 'True',
      prefix: `sentence-torch/${env.TORCHELASTIC_RESTART_COUNT ?? 0}`,
      networkInterface: env.GLOO_SOCKET_IFNAME || undefined,
      joinSeconds: isSet(env.SENTENCE_TORCH_JOIN_SECONDS) ? whole(env, 'SENTENCE_TORCH_JOIN_SECONDS', 1) : 25,
    }
  }
  return undefined
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== ''
}

function whole(env: Env, name: string, least: number): number {
  const value = env[name]!
  if (/^\d+$/.test(value) && Number(value) >= least) return Number(value)
  throw failure(
    `Expected a whole number of at least ${least} in the variable ${name} but found ${JSON.stringify(value)}`,
  )
}

/** `node[03-07,9],gpu1` begins with node03. */
function firstHost(list: string | undefined): string | undefined {
  const [, name, numbers] = /^([^[,]+)(?:\[([^\]]+)\])?/.exec(list ?? '') ?? []
  if (name === undefined) return undefined
  return numbers === undefined ? name : name + numbers.split(/[-,]/)[0]
}

function failure(message: string): SentenceTorchError {
  return new SentenceTorchError('ERR_DISTRIBUTED', message)
}
