/** Further passes over the rows after the first one. */
const EXTRA_PASSES = 2

/**
 * Holds a sampler to its announced number of batches, because the schedule counts on it. Rows that share texts may fill
 * fewer batches, and `dropLast` leaves out the short ones. Up to two more passes over the rows make up for that. After
 * those the epoch stays short. Extra passes, and a short epoch, are each one warning for a sampler.
 * Source: `NoDuplicatesBatchSampler.__iter__` of sentence-transformers 6.2.0.
 */
export class Shortfall {
  readonly #told = new Set<string>()

  /** @param announced batches per epoch */
  constructor(private readonly announced: number) {}

  /**
   * Whether another pass over the rows begins.
   * @param pass its number, from 0
   * @param made batches of the passes before
   */
  wantsPass(pass: number, made: number): boolean {
    const { announced } = this
    if (pass === 0) return true
    if (made >= announced) return false
    if (pass > EXTRA_PASSES || made === 0) {
      this.#tell(
        `no_duplicates: ${made} of the announced ${announced} batches came: too few different texts for this batch size; ` +
          'choose a smaller one. The run has fewer steps than its schedule',
      )
      return false
    }
    if (pass > 1) return true
    const share = ((100 * (announced - made)) / announced).toFixed(1)
    this.#tell(
      `no_duplicates: a pass over the rows fills ${made} of the announced ${announced} batches; the others are drawn from ` +
        `the same rows again, so that up to ${share} % of the batches of this epoch repeat rows`,
    )
    return true
  }

  #tell(message: string): void {
    if (this.#told.has(message)) return
    this.#told.add(message)
    process.emitWarning(message, 'SentenceTorchWarning')
  }
}
