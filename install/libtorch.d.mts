export interface Libtorch {
  /** The folder that holds include/ and lib/. */
  path: string
  version: string
  /** What the addon is built for: `cpu` or a CUDA version. */
  variant: string
  /** _GLIBCXX_USE_CXX11_ABI */
  abi: number
  /** environment, python, cache, zip or wheel */
  source: string
}

export interface Step {
  step: string
  found: string
  chosen: boolean
}

/** All ways failed. `steps` says what was tried and what each found. */
export class LibtorchError extends Error {
  code: string
  steps: Step[]
  constructor(message: string, steps: Step[])
}

/** Finds LibTorch, or fetches it into the cache. @throws LibtorchError */
export function resolveLibtorch(options?: {
  env?: NodeJS.ProcessEnv
  platform?: string
  fetching?: boolean
  log?: (line: string) => void
  python?: string
  zips?: Record<string, Record<string, { path: string; sha256?: string }>>
  wheels?: Record<string, { platforms: string[]; wheels: import('./pins.mjs').Wheel[] }>
}): Promise<Libtorch & { steps: Step[] }>

/** The folder of all caches of this package. */
export function cacheFolder(env?: NodeJS.ProcessEnv): string
