import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { type ErrorCode, SentenceTorchError } from '../errors.js'
import { onAbort } from '../io/abort.js'
import type { Tokenized } from './pack.js'
import { TextError } from './text-errors.js'
import type { TokenizerFiles } from './tokenizer/files.js'
import type { TokenizerOptions } from './tokenizer/options.js'

/** The data from which a worker builds its tokenizer. */
export interface TokenizerSource {
  files: TokenizerFiles
  options: TokenizerOptions
}

export interface TokenizerJob {
  id: number
  texts: readonly string[]
  maxSeqLength: number
}

export type TokenizerReply =
  | { id: number; ids: Int32Array; offsets: Int32Array }
  | { id: number; index: number; code: ErrorCode; error: string }

interface PendingJob extends TokenizerJob {
  /** Index of its first text among all texts. */
  first: number
  signal: AbortSignal | undefined
  resolve: (value: Tokenized) => void
  reject: (error: unknown) => void
}

/** Texts per message: some tens of milliseconds of work. */
const chunkTexts = 512
/** Idle time (ms) after which the threads end. */
const idleMilliseconds = 10_000

/**
 * A few threads that tokenise. They start on first use, keep the process alive only while they work, and end by themselves
 * when idle.
 */
export class TokenizerPool {
  private readonly workers: { thread: Worker; job: PendingJob | undefined }[] = []
  private queue: PendingJob[] = []
  private nextId = 0
  private idleTimer: NodeJS.Timeout | undefined

  constructor(
    private readonly source: TokenizerSource,
    /** Two threads keep up with any training on the CPU. More would take cores from the engine. */
    private readonly size: number = Math.min(2, Math.max(1, availableParallelism() - 1)),
  ) {}

  /**
   * The chunks of `texts`, tokenised, in order. Rejects with the first error, and then drops chunks that have not begun.
   * @throws TextError for a text that has no ids
   */
  async encode(texts: readonly string[], maxSeqLength: number, signal?: AbortSignal): Promise<Tokenized[]> {
    const group = new AbortController()
    const chunks: Promise<Tokenized>[] = []
    for (let start = 0; start < texts.length; start += chunkTexts) {
      const part = texts.slice(start, start + chunkTexts)
      chunks.push(
        new Promise((resolve, reject) => {
          const { signal } = group
          this.queue.push({ id: this.nextId++, texts: part, first: start, maxSeqLength, signal, resolve, reject })
        }),
      )
    }
    const stop = () => {
      group.abort()
      this.dropAborted(new SentenceTorchError('ERR_ABORTED', 'Tokenising was stopped', { cause: signal?.reason }))
    }
    const stopListening = signal && onAbort(signal, stop)
    this.dispatch()
    try {
      return await Promise.all(chunks)
    } catch (error) {
      stop()
      throw error
    } finally {
      stopListening?.()
    }
  }

  /** Ends the threads and rejects queued and running work. */
  async close(): Promise<void> {
    clearTimeout(this.idleTimer)
    this.fail(new SentenceTorchError('ERR_DISPOSED', 'The tokenizer was disposed while it worked'))
    await Promise.all(this.workers.splice(0).map(({ thread }) => thread.terminate()))
  }

  private dispatch(): void {
    clearTimeout(this.idleTimer)
    while (this.workers.length < Math.min(this.size, this.workers.filter(isBusy).length + this.queue.length))
      this.start()
    for (const worker of this.workers) {
      if (worker.job || this.queue.length === 0) continue
      worker.job = this.queue.shift()!
      worker.thread.ref()
      const { id, texts, maxSeqLength } = worker.job
      worker.thread.postMessage({ id, texts, maxSeqLength } satisfies TokenizerJob)
    }
    if (!this.workers.some(isBusy)) {
      this.idleTimer = setTimeout(() => void this.close(), idleMilliseconds)
      this.idleTimer.unref()
    }
  }

  private start(): void {
    // Without the caller's flags: `--input-type` and `--eval` would keep the thread from starting.
    const thread = new Worker(new URL('./tokenizer-worker.js', import.meta.url), {
      workerData: this.source,
      execArgv: [],
    })
    const worker: { thread: Worker; job: PendingJob | undefined } = { thread, job: undefined }
    thread.unref()
    thread.on('message', (reply: TokenizerReply) => {
      const job = worker.job!
      worker.job = undefined
      thread.unref()
      if ('error' in reply) {
        job.reject(new TextError(job.first + reply.index, new SentenceTorchError(reply.code, reply.error)))
      } else job.resolve({ ids: reply.ids, offsets: reply.offsets })
      this.dispatch()
    })
    thread.on('error', (cause) => {
      this.workers.splice(this.workers.indexOf(worker), 1)
      const message = `The tokenizer thread failed: ${cause.message}`
      const error = new SentenceTorchError('ERR_INVALID_MODEL', message, { cause })
      worker.job?.reject(error)
      this.fail(error)
    })
    this.workers.push(worker)
  }

  private dropAborted(error: unknown): void {
    const aborted = [...this.queue, ...this.workers.flatMap(({ job }) => job ?? [])].filter(
      (job) => job.signal?.aborted,
    )
    this.queue = this.queue.filter((job) => !job.signal?.aborted)
    for (const job of aborted) job.reject(error)
  }

  private fail(error: unknown): void {
    for (const job of this.queue.splice(0)) job.reject(error)
    for (const { job } of this.workers) job?.reject(error)
  }
}

function isBusy(worker: { job: PendingJob | undefined }): boolean {
  return worker.job !== undefined
}
