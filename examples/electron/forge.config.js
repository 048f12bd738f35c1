/** @type {{ packagerConfig: { asar: { unpack: string } } & Record<string, unknown>, makers: object[] }} */
const config = {
  packagerConfig: {
    // The dynamic linker cannot look into an archive: the addon, LibTorch and what they need lie beside it, in app.asar.unpacked.
    // (A plugin that unpacks *.node alone leaves LibTorch inside.)
    asar: { unpack: '{*.node,*.so,*.so.*,*.dylib}' },
    // On macOS every library has to be signed: Forge signs those in app.asar.unpacked, too. See docs/electron.md.
    ...(process.env.SIGN === '1' && { osxSign: {} }),
  },
  makers: [{ name: '@electron-forge/maker-zip' }],
}

export default config
