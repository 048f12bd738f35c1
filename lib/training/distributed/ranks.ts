import { fromNative, SentenceTorchError } from '../../errors.js'
import { loadAddon } from '../../native/load.js'
import type { NativeCollective } from '../../native/types.js'
import type { Launch } from './launch.js'

/** Trainings that this process has begun together with others: all of them begin equally many. */
let joined = 0

/** The processes that train one model together. All of them make the same calls in the same order. */
export class Ranks {
  readonly native: NativeCollective
  readonly rank: number
  readonly size: number

  private constructor(native: NativeCollective, { rank, size }: Launch) {
    this.native = native
    this.rank = rank
    this.size = size
  }

  /**
   * Waits until all processes are here.
   * @param timeoutSeconds after which a process that is waited for counts as lost
   * @throws ERR_DISTRIBUTED with what is wrong, on every process; ERR_NOT_IMPLEMENTED without c10d
   */
  static async join(launch: Launch, timeoutSeconds: number): Promise<Ranks> {
    const { networkInterface, prefix, ...place } = launch
    const native = new (loadAddon().Collective)({
      ...place,
      prefix: `${prefix}/${joined++}`,
      ...(networkInterface !== undefined && { interface: networkInterface }),
      timeoutSeconds,
    })
    try {
      await native.join()
    } catch (error) {
      throw fromNative(error, 'Collective.join')
    }
    return new Ranks(native, launch)
  }

  /** Whether this is the process that logs, evaluates and saves. */
  get isMain(): boolean {
    return this.rank === 0
  }

  /**
   * All processes say on which device they train: their CPUs, or each on a GPU of its own.
   * @throws ERR_DISTRIBUTED on every process where devices do not fit; ERR_NOT_IMPLEMENTED where the addon has no NCCL
   */
  async useDevice(device: string): Promise<void> {
    try {
      await this.native.useDevice(device)
    } catch (error) {
      throw fromNative(error, 'Collective.useDevice')
    }
  }

  /** The values of all processes, by rank. They are plain data. */
  async exchange<T>(value: T): Promise<T[]> {
    try {
      const texts = await this.native.exchange(JSON.stringify([value], packNumber))
      return texts.map((text) => (JSON.parse(text, unpackNumber) as [T])[0])
    } catch (error) {
      throw fromNative(error, 'Collective.exchange')
    }
  }

  /** What rank 0 makes, on all ranks: plain data. Where it fails, the others fail, too. */
  async fromMain<T>(make: () => Promise<T>): Promise<T> {
    const own = this.isMain ? JSON.stringify([await make()], packNumber) : ''
    try {
      return (JSON.parse(await this.native.share(own), unpackNumber) as [T])[0]
    } catch (error) {
      throw fromNative(error, 'Collective.share')
    }
  }

  /**
   * The bytes of all processes, by rank; each begins at a multiple of 8.
   * @param lengths by rank: how many bytes each of them gives
   */
  async gather(own: Uint8Array, lengths: readonly number[]): Promise<Uint8Array[]> {
    const most = 8 * Math.ceil(Math.max(...lengths) / 8)
    const all = new Uint8Array(most * this.size)
    if (most === 0) return lengths.map(() => all)
    const padded = own.length === most ? own : new Uint8Array(most)
    if (padded !== own) padded.set(own)
    try {
      await this.native.gather(padded, all)
    } catch (error) {
      throw fromNative(error, 'Collective.gather')
    }
    return lengths.map((length, rank) => all.subarray(rank * most, rank * most + length))
  }

  /**
   * @param values by name, which have to be the same on all ranks
   * @throws ERR_DISTRIBUTED on every rank, naming what differs
   */
  async expectSame(values: Readonly<Record<string, unknown>>): Promise<void> {
    const [main, ...others] = await this.exchange(values)
    for (const [i, other] of others.entries()) {
      const names = Object.keys({ ...main, ...other }).filter(
        (name) => JSON.stringify(main![name]) !== JSON.stringify(other[name]),
      )
      if (names.length === 0) continue
      const both = names.map((name) => `${name} (${short(other[name])}, at rank 0 ${short(main![name])})`)
      const message = `Rank ${i + 1} trains something else than rank 0: other ${both.join(', other ')}`
      throw new SentenceTorchError('ERR_DISTRIBUTED', message)
    }
  }

  /** @param error why this process ends before its time, which the others then say */
  async leave(error?: unknown): Promise<void> {
    await this.native.leave(error === undefined ? '' : error instanceof Error ? error.message : String(error))
  }
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'none'
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}

/** JSON knows no NaN, which metrics may be. */
function packNumber(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? { $number: String(value) } : value
}

function unpackNumber(_: string, value: unknown): unknown {
  const packed = (value as { $number?: unknown } | null)?.$number
  return typeof packed === 'string' ? Number(packed) : value
}
