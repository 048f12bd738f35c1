/** Where tests show faked trees; the real ones by default. */
export interface Roots {
  proc?: string
  sys?: string
  platform?: string
}

/** The folder of package.json. */
export const packageRoot: string

/** Where the addon is built: build/, or the folder that SENTENCE_TORCH_BUILD names, relative to the package. */
export function buildFolder(env?: NodeJS.ProcessEnv): string

/** Threads that compute at full speed: physical cores that this process may use, capped by the cgroup quota, at least 1. */
export function threads(roots?: Roots): number

/** Logical processors, those allowed by the affinity mask, distinct cores among these, cgroup quota (undefined: no limit). */
export function cores(roots?: Roots): {
  logical: number
  allowed: number
  physicalCores: number
  quota: number | undefined
}

/** Processor features that decide about kernels, as Linux names them: avx2, avx512f, avx512_bf16, amx_bf16, asimd, … */
export function cpuFeatures(roots?: Roots): string[]

/** The processor's name for people. */
export function cpuModel(roots?: Roots): string

/** The LibTorch to load the addon with (SENTENCE_TORCH_LIBTORCH, libtorch.json of the build that SENTENCE_TORCH_ADDON is
 *  from, or build/libtorch.json), undefined when nothing was built. */
export function readLibtorch(options?: {
  env?: NodeJS.ProcessEnv
  root?: string
}): { path: string; version: string; variant: string } | undefined

/** Version of the glibc that Node runs on, undefined where there is none. */
export function glibcVersion(): string | undefined

/** Whether this Linux uses musl instead of glibc. */
export function isMusl(): boolean

/** Standard output of a command, undefined when it cannot be run or fails. */
export function command(file: string, args: string[]): string | undefined
