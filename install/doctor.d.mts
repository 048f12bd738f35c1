/** What this machine has, what was tried and what was chosen. */
export type Facts = Record<string, unknown>

export function gather(): Promise<Facts>

/** For people, on stdout. */
export function print(facts: Facts): void
