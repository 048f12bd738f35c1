/**
 * Makes a function that listens to a stream or a signal for any number of listeners, with one listener of Node's. Node warns of a
 * leak when a stream or signal has more than ten, which trainings at the same time can reach.
 * @param listen begins to listen to a source; returns how to stop
 * @returns a function that adds a listener, and returns how to remove it
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
