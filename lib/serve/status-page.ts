/** The page at `/`: one file that loads nothing from elsewhere, and asks this server alone. */

const STYLE = `:root{color-scheme:light dark}body{color:#1c1c1c;background:#fff;font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884;vertical-align:top}
textarea,input{font:inherit;width:100%;box-sizing:border-box}textarea{height:6rem}.wide{overflow-x:auto}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dd{margin:0}button{font:inherit;margin:.5rem 0}
.bar{background:#3b82f6;height:.6rem;display:inline-block;border-radius:2px;vertical-align:middle;margin-right:.5rem}
a{color:#1d4ed8}textarea,input,button{color:#1c1c1c;background:#fff;border:1px solid #888;border-radius:4px;padding:.2rem .5rem}
@media(prefers-color-scheme:dark){body,textarea,input,button{color:#e4e4e4;background:#161616}a{color:#8ab4ff}}`

const SCRIPT = `
const $ = (id) => document.getElementById(id)
const key = $('key')
key.value = sessionStorage.getItem('key') ?? ''
key.addEventListener('change', () => { sessionStorage.setItem('key', key.value); show() })
async function ask(path, body) {
  const headers = { 'content-type': 'application/json', ...(key.value && { authorization: 'Bearer ' + key.value }) }
  const answer = await fetch(path, body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers })
  const json = await answer.json()
  if (!answer.ok) throw new Error(json.error?.message ?? json.error ?? json.message ?? answer.status)
  return json
}
const cell = (row, text) => { row.insertCell().textContent = text }
const milliseconds = (value) => value === null ? '–' : value.toFixed(1) + ' ms'
async function show() {
  try {
    const status = await ask('status')
    $('queue').textContent = status.textsInWork + ' of ' + status.mostTexts + ' texts' + (status.isDraining ? ', draining' : '')
    $('requests').textContent = status.latency.requests
    $('latency').textContent = milliseconds(status.latency.p50) + ', ' + milliseconds(status.latency.p99)
    const rows = $('models'), rounds = $('rounds')
    rows.replaceChildren()
    rounds.replaceChildren()
    for (const { name, task, version, learner } of status.models) {
      const row = rows.insertRow()
      for (const text of [name, task, version]) cell(row, text)
      cell(row, learner ? learner.state + ', ' + learner.pending + ' of ' + learner.feedback + ' pairs to learn' : '–')
      for (const round of [...(learner?.rounds ?? [])].reverse()) {
        const line = rounds.insertRow()
        const gain = round.before == null ? round.error ?? '' : round.metric + ' ' + round.before.toFixed(4) + ' → ' + round.after.toFixed(4)
        const range = round.interval ? ' (' + round.interval.low.toFixed(4) + ' to ' + round.interval.high.toFixed(4) + ')' : ''
        for (const text of [name, round.from + ' → ' + round.version, round.outcome, round.pairs + ' pairs, ' + round.seconds + ' s', gain + range]) cell(line, text)
      }
    }
    $('error').textContent = ''
  } catch (error) {
    $('error').textContent = error.message
  }
}
$('compare').addEventListener('submit', async (event) => {
  event.preventDefault()
  const sentences = $('texts').value.split('\\n').filter((text) => text.trim() !== '')
  try {
    const scores = await ask('similarity', { inputs: { source_sentence: $('source').value, sentences } })
    const rows = $('scores')
    rows.replaceChildren()
    for (const [i, score] of scores.entries()) {
      const row = rows.insertRow()
      const bar = document.createElement('span')
      bar.className = 'bar'
      bar.style.width = Math.max(0, score) * 8 + 'rem'
      row.insertCell().append(bar, score.toFixed(4))
      cell(row, sentences[i])
    }
    $('error').textContent = ''
  } catch (error) {
    $('error').textContent = error.message
  }
})
show()
setInterval(show, 2000)
`

export function statusPage(): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'">
<title>sentence-torch</title><style>${STYLE}</style><script type="module">${SCRIPT}</script></head><body>
<h1>sentence-torch</h1><p id="error" role="alert"></p>
<dl><dt>In work</dt><dd id="queue">–</dd><dt>Requests</dt><dd id="requests">–</dd><dt>Half, 99 % within</dt><dd id="latency">–</dd></dl>
<h2>Models</h2><div class="wide"><table><thead><tr><th>Name<th>Task<th>Version<th>Learner</thead><tbody id="models"></tbody></table></div>
<h2>Trainings</h2><div class="wide"><table><thead><tr><th>Model<th>Version<th>Outcome<th>Work<th>Metric</thead><tbody id="rounds"></tbody></table></div>
<h2>Similarity</h2><form id="compare"><label>A text <input id="source" required value="How do I reset my password?"></label>
<label>Others, one a line <textarea id="texts" required>I forgot my login
The weather is fine today</textarea></label><button>Compare</button></form>
<div class="wide"><table><tbody id="scores"></tbody></table></div>
<p><label>API key, where the server wants one <input id="key" type="password" autocomplete="off"></label></p>
<p>All routes: <a href="docs">docs</a></p></body></html>
`
}
