/**
 * Runs `source` ahead of its consumer: makes up to `depth` items in advance, in order. An error of the source is thrown
 * when its item is reached. Leaving the loop early also ends the source.
 */
export async function* prefetch<T>(source: AsyncIterable<T>, depth = 2): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  const pending: Promise<IteratorResult<T>>[] = []
  const ask = () => {
    const item = iterator.next()
    // The error is handled when the item is reached. Until then it must not count as unhandled.
    item.catch(() => {})
    pending.push(item)
  }
  try {
    for (let i = 0; i < Math.max(1, depth); i++) ask()
    for (;;) {
      const item = await pending.shift()!
      if (item.done) return
      ask()
      yield item.value
    }
  } finally {
    // Waits for the items in progress, because a generator runs its steps one after another.
    await Promise.allSettled(pending)
    await iterator.return?.()
  }
}
