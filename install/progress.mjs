// One progress line on stderr: rewritten in place on a terminal, a line per tenth elsewhere. stdout stays free for answers.

/** @param {number} bytes */
export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`
}

/**
 * @param {string} label
 * @param {number} total bytes, 0 when unknown
 * @param {NodeJS.WriteStream | { isTTY?: boolean, write(text: string): unknown }} [stream]
 */
export function progress(label, total, stream = process.stderr) {
  const start = Date.now()
  let shown = start
  let tenth = -1
  return {
    /** @param {number} done bytes so far */
    update(done) {
      const share = total > 0 ? Math.min(1, done / total) : 0
      const amount = total > 0 ? `${Math.floor(share * 100)} % of ${megabytes(total)}` : megabytes(done)
      if (stream.isTTY) {
        if (Date.now() - shown < 200 && share < 1) return
        shown = Date.now()
        stream.write(`\r${label}: ${amount}\u001b[K`)
      } else if (total > 0 && Math.floor(share * 10) > tenth) {
        tenth = Math.floor(share * 10)
        stream.write(`${label}: ${amount}\n`)
      }
    },
    done() {
      if (stream.isTTY) stream.write('\r\u001b[K')
      stream.write(`${label}: done in ${((Date.now() - start) / 1000).toFixed(1)} s\n`)
    },
  }
}
