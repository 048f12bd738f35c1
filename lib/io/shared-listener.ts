/**
 * Makes a function that listens to a stream or a signal for any number of listeners, through one of Node's listeners. Node
 * warns of a leak at more than ten listeners of a stream or signal, which simultaneous trainings can reach.
 * @param listen starts listening to a source; returns a function that stops
 * @returns a function that adds a listener, and returns a function that removes it
 */
export function sharedListener<Source extends object, Value>(
  listen: (source: Source, tell: (value: Value) => void) => () => void,
): (source: Source, listener: (value: Value) => void) => () => void {
  const bySource = new WeakMap<Source, { listeners: Set<(value: Value) => void>; stop: () => void }>()
  const begin = (source: Source) => {
    const listeners = new Set<(value: Value) => void>()
    const tellAll = (value: Value) => {
      for (const listener of [...listeners]) listener(value)
    }
    const shared = { listeners, stop: listen(source, tellAll) }
    bySource.set(source, shared)
    return shared
  }
  return (source, listener) => {
    const { listeners, stop } = bySource.get(source) ?? begin(source)
    listeners.add(listener)
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return
      bySource.delete(source)
      stop()
    }
  }
}
