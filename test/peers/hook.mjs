// Packages that are not found elsewhere are those of this folder.
/** @type {import('node:module').ResolveHook} */
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context)
  } catch (error) {
    if (error?.code !== 'ERR_MODULE_NOT_FOUND' || /^(\.|\/|#|\w+:)/.test(specifier)) throw error
    return next(specifier, { ...context, parentURL: import.meta.url })
  }
}
