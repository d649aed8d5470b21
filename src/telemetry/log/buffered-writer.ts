/** Where a buffered writer writes to: `Bun.stdout.writer()`, or a stand-in. */
export interface WriteTarget {
  write(chunk: string): unknown
  flush(): unknown
}

export interface BufferedWriterOptions {
  /** Characters kept while the reader stalls; lines beyond are dropped and counted. Default 8 Mi. */
  readonly maxPendingChars?: number
  /** A batch of this many characters is written at once. Default 32 Ki. */
  readonly batchChars?: number
  /** How long a line may wait for its batch to fill, in ms. Default 50. */
  readonly batchDelayMs?: number
}

export interface BufferedWriter {
  /** Takes one line with its line break. Never blocks, never throws. */
  write(line: string): void
  /** Resolves when every line so far has been passed to the operating system, or the reader is gone. */
  flush(): Promise<void>
  /** Lines dropped because the buffer was full or the reader was gone. */
  readonly droppedLines: number
}

/**
 * Writes lines in batches and without blocking.
 *
 * `console.log` blocks: a log reader that stalls for a second would stop the service for a second.
 * `process.stdout.write` loses its buffer at exit. Bun's file sink does neither, but its buffer has no limit; so the
 * lines that wait for a stalled reader are kept, and limited, here.
 */
export function createBufferedWriter(
  target: WriteTarget,
  options: BufferedWriterOptions = {},
): BufferedWriter {
  const { maxPendingChars = 8 * 2 ** 20, batchChars = 32 * 2 ** 10, batchDelayMs = 50 } = options
  let batch = ''
  let batchLines = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let writing = false
  let written = Promise.resolve()
  let droppedLines = 0

  /** Writes batch after batch until no line is left. */
  const writeBatches = async (): Promise<void> => {
    writing = true
    while (batch !== '') {
      const chunk = batch
      const lines = batchLines
      batch = ''
      batchLines = 0
      try {
        // A large write returns a promise too. Its rejection must be handled, or it would end the process.
        await Promise.all([target.write(chunk), target.flush()])
      } catch {
        // EPIPE: the reader is gone. The service continues without its log.
        droppedLines += lines
      }
    }
    writing = false
  }
  const startWriting = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (!writing) written = writeBatches()
  }

  return {
    write(line) {
      if (batch.length + line.length > maxPendingChars) {
        droppedLines++
        return
      }
      batch += line
      batchLines++
      if (writing) return
      if (batch.length >= batchChars) startWriting()
      else timer ??= setTimeout(startWriting, batchDelayMs)
    },
    async flush() {
      while (batch !== '' || writing) {
        startWriting()
        await written
      }
    },
    get droppedLines() {
      return droppedLines
    },
  }
}
