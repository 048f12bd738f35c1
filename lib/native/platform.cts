// The packages that hold a built addon. CommonJS, and every name literally in a `require` inside of a `try`: so bundlers and file
// tracers find the one that is there, and go on without the others.

/** The exports of such a package's index.js. */
interface PlatformPackage {
  folder: string
  boot(): unknown
  addon(): unknown
  /** The folder whose libtorch.json names the LibTorch. */
  libtorch(): string
}
type Attempt = { installed: PlatformPackage } | { error: unknown }

const packages: Record<string, () => Attempt> = {
  '@sentence-torch/linux-x64': () => {
    try {
      return { installed: require('@sentence-torch/linux-x64') }
    } catch (error) {
      return { error }
    }
  },
  '@sentence-torch/linux-arm64': () => {
    try {
      return { installed: require('@sentence-torch/linux-arm64') }
    } catch (error) {
      return { error }
    }
  },
  '@sentence-torch/darwin-arm64': () => {
    try {
      return { installed: require('@sentence-torch/darwin-arm64') }
    } catch (error) {
      return { error }
    }
  },
  '@sentence-torch/linux-x64-cuda13': () => {
    try {
      return { installed: require('@sentence-torch/linux-x64-cuda13') }
    } catch (error) {
      return { error }
    }
  },
}

export = packages
