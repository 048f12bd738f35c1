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

/** Why there is no LibTorch to load the addon with: SENTENCE_TORCH_LIBTORCH names none, libtorch.json is damaged, the version is
 *  another than that of the addon, or nothing says where it is. */
export class LibtorchFault extends Error {
  constructor(kind: 'environment' | 'note' | 'version' | 'absent', message: string)
  readonly kind: 'environment' | 'note' | 'version' | 'absent'
}

/** The LibTorch to load an addon with (SENTENCE_TORCH_LIBTORCH, the one that libtorch.json beside the addon or above it names, or
 *  the one of the package that it depends on), undefined when nothing says which.
 *  @throws LibtorchFault */
export function readLibtorch(options?: {
  env?: NodeJS.ProcessEnv
  root?: string
  addon?: string
  libtorch?: () => string
}): { path: string; version: string | undefined; variant: string } | undefined

/** The folder of the torch that Python imports. */
export function pythonTorch(python?: string): string | undefined

/** The oldest glibc that the packages with a built addon run on. */
export const GLIBC_MINIMUM: string

/** Where there is a LibTorch: `linux-x64`, … */
export const PLATFORMS: readonly string[]

/** Why this platform is refused, undefined where it is not. */
export function unsupportedPlatform(system?: { platform?: string; arch?: string; musl?: boolean }): string | undefined

/** Whether a version is a minimum or newer, by number. */
/** Whether SENTENCE_TORCH_OFFLINE forbids downloads. */
export function isOffline(env: NodeJS.ProcessEnv): boolean

export function atLeast(version: string, minimum: string): boolean

/** Which machine a shared library is for (`machine`: "linux-x64"), and whether the file is whole. */
export function inspectBinary(path: string): {
  state: 'whole' | 'cut off' | 'missing' | 'forbidden' | 'unreadable' | 'no library'
  description: string
  machine?: string
}

/** Version of the glibc that Node runs on, undefined where there is none. */
export function glibcVersion(): string | undefined

/** Whether this Linux uses musl instead of glibc. */
export function isMusl(): boolean

/** Standard output of a command, undefined when it cannot be run or fails. */
export function command(file: string, args: string[]): string | undefined
