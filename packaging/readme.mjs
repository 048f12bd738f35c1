// READMEs as they are read outside of the repository.

/**
 * Relative links and images become absolute ones of the tag of this version; anchors and absolute ones stay.
 * @param {string} markdown
 * @param {{ web: string, version: string }} where `web` is the repository's address for people
 * @returns {string}
 */
export function absoluteLinks(markdown, where) {
  // Every other part is a fenced block of code.
  const parts = markdown.split(/(^```[\s\S]*?^```$)/m)
  return parts.map((part, i) => (i % 2 ? part : rewrite(part, where))).join('')
}

/**
 * @param {string} markdown
 * @param {{ web: string, version: string }} where
 * @returns {string}
 */
function rewrite(markdown, { web, version }) {
  const raw = web.replace('https://github.com/', 'https://raw.githubusercontent.com/')
  return markdown.replace(/(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)/g, (whole, image, text, target) => {
    const inner = text.includes('](') ? rewrite(text, { web, version }) : text
    if (/^(#|[a-z][a-z0-9+.-]*:)/i.test(target)) return whole.replace(text, inner)
    const path = target.replace(/^\.\//, '')
    return `${image}[${inner}](${image ? `${raw}/v${version}` : `${web}/blob/v${version}`}/${path})`
  })
}

/**
 * @param {string} name
 * @param {string} text
 * @param {string} web
 */
export function shortReadme(name, text, web) {
  return `# ${name}\n\n${text}\n\nIt is a part of [sentence-torch](${web}): \`npm install sentence-torch\` brings it where it is needed.\n`
}
