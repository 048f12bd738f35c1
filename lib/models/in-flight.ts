/** At most `limit` jobs at a time; after a failure no further one begins. */
export class InFlight {
  private readonly running = new Set<Promise<void>>()
  private failure: { error: unknown } | undefined

  constructor(private readonly limit: number) {}

  async add(job: () => Promise<void>): Promise<void> {
    while (this.running.size >= this.limit) await Promise.race(this.running)
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
