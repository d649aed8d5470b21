/** How often files are looked at, in ms. */
const lookEveryMs = 2_000

/**
 * Watches what is in some small files, by reading them again and again. A watch of the file system would be told
 * about names and not about contents: a mounted secret is a link into a directory that is swapped as a whole.
 *
 * @param first the texts that are known already
 * @param use called with all texts when one of them has changed. When it throws, it is called again after the next
 * change: of a certificate and its key, one is always written first.
 * @param onFailure told about files that cannot be read or used, once and not at every look
 * @returns what ends the watch
 */
export function watchFiles(
  paths: readonly string[],
  first: readonly string[],
  use: (texts: readonly string[]) => void | Promise<void>,
  onFailure: (error: unknown) => void,
  everyMs = lookEveryMs,
): () => void {
  let known = first.join('\0')
  let lastFailure = ''
  let looking = false
  const look = async (): Promise<void> => {
    if (looking) return
    looking = true
    try {
      const texts = await readTexts(paths)
      const found = texts.join('\0')
      if (found === known) return
      known = found
      lastFailure = ''
      await use(texts)
    } catch (error) {
      // A file that is missing is missing at every look.
      if (String(error) !== lastFailure) onFailure(error)
      lastFailure = String(error)
    } finally {
      looking = false
    }
  }
  const timer = setInterval(() => void look(), everyMs)
  timer.unref()
  return () => clearInterval(timer)
}

/** The texts of files. @throws what the file system throws. */
export function readTexts(paths: readonly string[]): Promise<string[]> {
  return Promise.all(paths.map((path) => Bun.file(path).text()))
}
