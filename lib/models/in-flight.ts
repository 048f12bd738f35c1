/** Jobs of a call that are under way at once. */
const LIMIT = 3

/** A few jobs at a time; after a failure no further one begins. */
export class InFlight {
  private readonly running = new Set<Promise<void>>()
  private failure: { error: unknown } | undefined

  async add(job: () => Promise<void>): Promise<void> {
    while (this.running.size >= LIMIT) await Promise.race(this.running)
    this.throwFailure()
    const run: Promise<void> = job()
      .catch((error: unknown) => {
        this.failure ??= { error }
      })
      .finally(() => this.running.delete(run))
    this.running.add(run)
  }

  async settled(): Promise<void> {
    await Promise.all(this.running)
  }

  throwFailure(): void {
    if (this.failure) throw this.failure.error
  }
}
