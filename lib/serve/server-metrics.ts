import { Latest } from './latest.js'
import { Counter, exposition, Gauge, Histogram } from './metrics.js'

/** Seconds: 35 steps, each half as long again. Source: text-embeddings-inference router/src/prometheus.rs. */
const DURATIONS = Array.from({ length: 35 }, (_, i) => Number((0.00001 * 1.5 ** (i + 1)).toPrecision(6)))
const TOKENS = Array.from({ length: 20 }, (_, i) => 2 ** i)

/** What a request did, for metrics, headers and the log. */
export interface Facts {
  /** Whether a batch was asked for, or one text alone. */
  method?: 'single' | 'batch'
  texts: number
  tokens: number
  characters: number
  /** Milliseconds. */
  tokenization: number
  /** Milliseconds: the wait for the engine, and its work. */
  inference: number
  model?: string
  version?: string
}

export function newFacts(): Facts {
  return { texts: 0, tokens: 0, characters: 0, tokenization: 0, inference: 0 }
}

/**
 * The metrics that TEI has, under its names, as far as they exist here: the engine forms batches of all calls of the process, so that
 * their sizes and the time in its queue are not those of one server.
 */
export class ServerMetrics {
  readonly requests = new Counter()
  readonly successes = new Counter()
  readonly failures = new Counter()
  readonly embedCount = new Counter()
  readonly embedSuccess = new Counter()
  readonly predictCount = new Counter()
  readonly predictSuccess = new Counter()
  readonly duration = new Histogram(DURATIONS)
  readonly tokenization = new Histogram(DURATIONS)
  readonly inference = new Histogram(DURATIONS)
  readonly inputLength = new Histogram(TOKENS)
  readonly latest = new Latest(1000)

  /** @param inWork texts that are accepted and not answered yet */
  constructor(private readonly inWork: () => number) {}

  /** A request that a model has answered. @param milliseconds from its arrival on */
  recordSuccess({ method, tokenization, inference }: Facts, milliseconds: number): void {
    if (method === undefined) return
    this.successes.add({ method })
    this.duration.record(milliseconds / 1000)
    this.latest.record(milliseconds)
    this.tokenization.record(tokenization / 1000)
    this.inference.record(inference / 1000)
  }

  /** In Prometheus' text format. */
  text(): string {
    return exposition({
      te_request_count: this.requests,
      te_request_success: this.successes,
      te_request_failure: this.failures,
      te_embed_count: this.embedCount,
      te_embed_success: this.embedSuccess,
      te_predict_count: this.predictCount,
      te_predict_success: this.predictSuccess,
      te_request_duration: this.duration,
      te_request_tokenization_duration: this.tokenization,
      te_request_inference_duration: this.inference,
      te_request_input_length: this.inputLength,
      te_queue_size: new Gauge(this.inWork),
    })
  }
}
