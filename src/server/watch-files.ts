/**
 * Watches the contents of small files by polling. File system events do not suffice: a mounted secret is a link into a
 * directory that is replaced as a whole.
 *
 * @param initial the texts that are known already, one per path
 * @param onChange called with all texts after one of them has changed. When it throws, it is called again after the next
 * change: a certificate and its key are written one after the other.
 * @param onError called when files cannot be read or used; once per error and not at every poll
 * @returns stops watching
 */
export function watchFiles(
  paths: readonly string[],
  initial: readonly string[],
  onChange: (texts: readonly string[]) => void | Promise<void>,
  onError: (error: unknown) => void,
  pollIntervalMs: number,
): () => void {
  let known = initial.join('\0')
  let lastError = ''
  let polling = false
  const poll = async (): Promise<void> => {
    if (polling) return
    polling = true
    try {
      const texts = await readTexts(paths)
      const current = texts.join('\0')
      if (current === known) return
      known = current
      lastError = ''
      await onChange(texts)
    } catch (error) {
      // A missing file is missing at every poll.
      if (String(error) !== lastError) onError(error)
      lastError = String(error)
    } finally {
      polling = false
    }
  }
  const timer = setInterval(() => void poll(), pollIntervalMs)
  timer.unref()
  return () => clearInterval(timer)
}

/** The texts of files. @throws what the file system throws. */
export function readTexts(paths: readonly string[]): Promise<string[]> {
  return Promise.all(paths.map((path) => Bun.file(path).text()))
}
