/** When something is done in a run. */

export const STRATEGIES = ['no', 'steps', 'epoch'] as const
export type IntervalStrategy = (typeof STRATEGIES)[number]

export const SAVE_STRATEGIES = [...STRATEGIES, 'best'] as const
/** `best`: after every evaluation that is better than all before. */
export type SaveStrategy = (typeof SAVE_STRATEGIES)[number]
