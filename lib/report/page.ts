/** The shell of a report: one HTML file that loads nothing, runs nothing, and suits light and dark, wide and narrow screens. */
import { darkRules, GROUND, LINE, MUTED, SERIES, TEXT } from '../plots/colours.js'
import { type Html, html } from './html.js'

/** No script, no address but images inside of the file. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

const variables = (theme: 'light' | 'dark') =>
  `--ground:${GROUND[theme]};--text:${TEXT[theme]};--muted:${MUTED[theme]};--line:${LINE[theme]};` +
  `--good:${SERIES[2]![theme]};--bad:${SERIES[1]![theme]};--link:${SERIES[0]![theme]}`

const STYLE = `
:root{color-scheme:light dark;${variables('light')}}
@media (prefers-color-scheme:dark){:root{${variables('dark')}}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:anywhere}
main{max-width:1160px;margin:0 auto;padding:16px}
h1{font-size:1.6rem;line-height:1.25;margin:.4em 0}
h2{font-size:1.25rem;margin:1.8em 0 .5em;padding-top:.4em;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1em 0 .3em}
p{margin:.4em 0}
.muted,figcaption{color:var(--muted);font-size:.875rem}
nav{display:flex;flex-wrap:wrap;gap:.2em 1em}
a{color:var(--link)}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:8px 32px}
figure{margin:0;min-width:0}
.scroll{overflow-x:auto;max-width:100%}
.plot svg{display:block;width:100%;height:auto;max-width:640px}
table{border-collapse:collapse;font-size:.9rem}
th,td{padding:.3em .8em .3em 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);min-width:4.5em;overflow-wrap:break-word}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.good{color:var(--good)}
.bad{color:var(--bad)}
pre{overflow-x:auto;padding:12px;border:1px solid var(--line);border-radius:4px;font-size:.85rem;line-height:1.4;overflow-wrap:normal}
details{margin:.6em 0}
summary{cursor:pointer}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1em;margin:.4em 0}
dt{color:var(--muted)}
dd{margin:0;min-width:0}
@media (max-width:600px){
body{font-size:15px}
dl{grid-template-columns:1fr;gap:0}
dd{margin-bottom:.5em}
.pairs thead{display:none}
.pairs tr,.pairs td{display:block;border:0;padding:.1em 0;text-align:left}
.pairs tr{border-bottom:1px solid var(--line);padding:.5em 0}
.pairs td.n::before{content:attr(data-label) " ";color:var(--muted)}
.pairs td.n{display:inline-block;margin-right:1em}
}
@media print{details:not([open])>*{display:block}}
`

export interface PageSection {
  id: string
  title: string
  content: Html
}

/** What the page of a running training has beside. */
export interface LiveParts {
  policy: string
  status: Html
  script: Html
}

/** The whole page. */
export function page(title: string, head: Html, sections: readonly PageSection[], live?: LiveParts): string {
  // The drawings' colours are attributes, which these rules replace on a dark ground.
  const style = STYLE + darkRules('.plot')
  return `<!doctype html>\n${html`<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${live?.policy ?? POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${trusted(style)}</style>
</head>
<body>
${live?.status}<main>
<h1>${title}</h1>
${head}
<nav aria-label="Sections">${sections.map(({ id, title: name }) => html`<a href="#${id}">${name}</a>`)}</nav>
${sections.map(({ id, title: name, content }) => html`<section id="${id}"><h2>${name}</h2>${content}</section>\n`)}
</main>
${live?.script}</body>
</html>`}\n`
}

/** Text of this file, of which nothing comes from a run. */
function trusted(css: string): Html {
  return html([css] as unknown as TemplateStringsArray)
}
