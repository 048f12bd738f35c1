export interface CudaSource {
  variant: string
  platforms: string[]
  unpackedBytes: number
  wheels: { requirement: string; file: string; sha256: string; bytes: number }[]
}

export interface CudaOptions {
  /** The package's folder. */
  folder: string
  /** A folder that holds the wheels, or an address below which they lie; default: pip's index. */
  from?: string | undefined
  env?: NodeJS.ProcessEnv
  python?: string
  source?: CudaSource
  log?: (line: string) => void
}

/** Fills the folder `libtorch` of the package with the addon for CUDA, as a whole or not at all. @throws SetupError */
export function fillCuda(options: CudaOptions): Promise<void>
