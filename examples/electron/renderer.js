// The window: asks the engine through what preload.cjs exposes.
const element = (id) => document.getElementById(id)
const show = (text) => {
  element('output').textContent = text
}
const { engine } = window

/** A button that says what went wrong. */
function onClick(id, action) {
  element(id).addEventListener('click', async () => {
    show('…')
    await action().catch((error) => show(error.message))
  })
}

const texts = () => element('texts').value.split('\n').filter(Boolean)

onClick('load', async () => {
  const { dimension } = await engine.call('load', { folder: element('folder').value })
  show(`loaded: ${dimension} numbers per text`)
})

onClick('embed', async () => {
  const { data, shape } = await engine.call('embed', { texts: texts() })
  const rows = Array.from({ length: shape[0] }, (_, i) => data.subarray(i * shape[1], (i + 1) * shape[1]))
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0)
  const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
  show(
    texts()
      .map((text, i) => `${cosine(rows[0], rows[i]).toFixed(3)}  ${text}`)
      .join('\n'),
  )
})

onClick('train', async () => {
  const [first, second, ...others] = texts()
  const pairs = [[first, second], ...others.map((text) => [text, text])]
  const { saved } = await engine.call('train', { pairs, steps: 20 })
  show(`trained and saved to ${saved}`)
})

engine.onProgress(({ step, steps, loss }) => {
  element('progress').max = steps
  element('progress').value = step
  show(`step ${step} of ${steps}, loss ${loss.toFixed(4)}`)
})
