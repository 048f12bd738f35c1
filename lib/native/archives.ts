// Electron packs an application into one file, app.asar, and Yarn keeps packages as zip files. JavaScript is read out of them as if
// they were folders; the dynamic linker cannot look inside.
import { existsSync } from 'node:fs'

/** The place beside an app.asar where the files lie that are not packed; the path itself where there is none. */
export function unpacked(path: string): string {
  const outside = path.replace(/\.asar(?=[\\/])/, '.asar.unpacked')
  return outside !== path && existsSync(outside) ? outside : path
}

/** Which archive a path leads into. A folder may have such a name, too, where nothing reads archives. */
export function archiveOf(
  path: string,
  { electron, pnp }: { electron: boolean; pnp: boolean },
): 'asar' | 'zip' | undefined {
  if (electron && /\.asar[\\/]/.test(path)) return 'asar'
  if (pnp && /\.zip[\\/]/.test(path)) return 'zip'
  return undefined
}
