import { onAbort } from '../../io/abort.js'

/** A gate that training passes before every step. It is closed while training is paused. */
export class Gate {
  #opened: Promise<void> | undefined
  #open: (() => void) | undefined

  get isClosed(): boolean {
    return this.#opened !== undefined
  }

  close(): void {
    this.#opened ??= new Promise((resolve) => {
      this.#open = resolve
    })
  }

  open(): void {
    this.#open?.()
    this.#opened = undefined
    this.#open = undefined
  }

  /** Waits until the gate is open or `signal` fires. */
  async pass(signal?: AbortSignal): Promise<void> {
    while (this.#opened !== undefined && !signal?.aborted) {
      const opened = this.#opened
      if (signal === undefined) {
        await opened
        continue
      }
      let stopListening: (() => void) | undefined
      await Promise.race([
        opened,
        new Promise<void>((resolve) => {
          stopListening = onAbort(signal, resolve)
        }),
      ])
      stopListening?.()
    }
  }
}
