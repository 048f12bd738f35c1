// Whether this machine can build the addon; when it cannot, which part is missing and the command that mends it.

import { execFileSync } from 'node:child_process'
import { atLeast, command, unsupportedPlatform } from './system.mjs'

export { atLeast, unsupportedPlatform }

const CMAKE_MINIMUM = '3.22'
const COMPILERS = ['c++', 'g++', 'clang++']

// Needs the language and the library of C++20. On Linux the compiler must use LibTorch's OpenMP runtime, which is GCC's: what
// clang builds does not load.
const PROGRAM =
  '#if defined(__clang__) && defined(__linux__)\n#error OpenMP\n#endif\n#include <concepts>\n#include <span>\ntemplate <std::integral T> T twice(T x) { return x + x; }\nint main() { return twice(0); }\n'

/** Something that the user has to install or to choose. */
export class SetupError extends Error {
  code = 'ERR_SETUP'
}

/**
 * @param {{ env?: NodeJS.ProcessEnv }} [options]
 * @returns {{ cmake?: string, compiler?: string, compilerVersion?: string, make?: string, problems: string[] }}
 */
export function inspectToolchain({ env = process.env } = {}) {
  const problems = []
  const cmake = /version (\d+\.\d+(?:\.\d+)?)/.exec(command('cmake', ['--version']) ?? '')?.[1]
  if (!cmake)
    problems.push(
      missing(`CMake was not found (looked for "cmake" on PATH, at least ${CMAKE_MINIMUM} is needed).`, 'cmake'),
    )
  else if (!atLeast(cmake, CMAKE_MINIMUM))
    problems.push(missing(`CMake ${cmake} is too old, at least ${CMAKE_MINIMUM} is needed.`, 'newCmake'))

  const make = ['ninja', 'make'].find((name) => command(name, ['--version']) !== undefined)
  if (!make) problems.push(missing('Neither ninja nor make was found on PATH.', 'make'))

  const candidates = env.CXX ? [env.CXX] : COMPILERS
  const found = candidates.filter((name) => command(name, ['--version']) !== undefined)
  const compiler = found.find(compilesCxx20)
  if (!found.length)
    problems.push(missing(`A C++ compiler was not found (looked for ${candidates.join(', ')} on PATH).`, 'compiler'))
  else if (!compiler)
    problems.push(
      missing(
        `${found.join(', ')} cannot build the addon (g++ 11 or newer is needed; on macOS Apple's clang).`,
        'compiler',
      ),
    )
  const compilerVersion = compiler && command(compiler, ['--version'])?.split('\n')[0]
  return { cmake, compiler, compilerVersion, make, problems }
}

/** @param {string} compiler */
function compilesCxx20(compiler) {
  try {
    execFileSync(compiler, ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'], {
      input: PROGRAM,
      stdio: 'pipe',
      timeout: 60_000,
    })
    return true
  } catch {
    return false
  }
}

const REMEDIES = {
  cmake: ['sudo apt-get install cmake', 'sudo dnf install cmake', 'brew install cmake', 'python3 -m pip install cmake'],
  newCmake: [
    'python3 -m pip install cmake',
    'sudo dnf upgrade cmake',
    'brew upgrade cmake',
    'python3 -m pip install cmake',
  ],
  make: ['sudo apt-get install make', 'sudo dnf install make', 'xcode-select --install'],
  compiler: ['sudo apt-get install g++', 'sudo dnf install gcc-c++', 'xcode-select --install'],
}

/**
 * @param {string} what
 * @param {keyof typeof REMEDIES} remedy
 */
function missing(what, remedy) {
  const systems = ['Debian, Ubuntu', 'Fedora', 'macOS', 'anywhere']
  return [what, ...REMEDIES[remedy].map((line, i) => `    ${`${systems[i]}:`.padEnd(16)} ${line}`)].join('\n')
}

/** Throws one SetupError that lists everything that is missing. */
export function checkToolchain() {
  const refused = unsupportedPlatform()
  if (refused) throw new SetupError(refused)
  const toolchain = inspectToolchain()
  if (toolchain.problems.length) throw new SetupError(toolchain.problems.join('\n'))
  return toolchain
}
