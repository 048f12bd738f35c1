/** Limit of UTF-16 units in a token. The time of some steps grows with the longest one. */
export const MAX_TOKEN = 1000
export const MAX_TOKENS = 10_000_000
