export { atLeast, unsupportedPlatform } from './system.mjs'

/** Something that the user has to install or to choose. */
export class SetupError extends Error {
  code: string
}

/** What this machine would build the addon with, and what it lacks. */
export function inspectToolchain(options?: { env?: NodeJS.ProcessEnv }): {
  cmake?: string
  compiler?: string
  compilerVersion?: string
  make?: string
  problems: string[]
}

/** @throws SetupError that lists everything that is missing to build the addon */
export function checkToolchain(): { compiler?: string; compilerVersion?: string }
