/** Waits for the lock, runs `work`, releases it. */
export function withLock<T>(
  path: string,
  work: () => Promise<T>,
  options?: { onWait?: (holder: string) => void; pollMs?: number; staleMs?: number },
): Promise<T>
