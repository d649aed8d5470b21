/** What a sink writes to: `Bun.stdout.writer()`, or a stand-in. */
export interface LineTarget {
  write(chunk: string): unknown
  flush(): unknown
}

export interface LineSinkOptions {
  /** Characters waiting at the most while the reader stalls; lines beyond are dropped and counted. Default 8 Mi. */
  readonly pendingMax?: number
  /** Characters from which a batch is handed on at once. Default 32 Ki. */
  readonly batchMax?: number
  /** How long a line may wait for its batch, in ms. Default 50. */
  readonly batchMs?: number
}

export interface LineSink {
  /** Takes one line with its line break. Never blocks, never throws. */
  write(line: string): void
  /** Resolves when everything taken so far is handed to the operating system, or the reader is gone. */
  flush(): Promise<void>
  /** Lines that found no room, or no reader. */
  readonly dropped: number
}

/**
 * Writes lines in batches and without blocking.
 *
 * Why not console.log: a log reader that stalls for a second stops the service for a second. Why not
 * process.stdout.write: what it has not written is lost at exit. Bun's file sink does neither, but takes
 * whatever it is given, so what waits for a stalled reader is bounded here.
 */
export function createLineSink(target: LineTarget, options: LineSinkOptions = {}): LineSink {
  const { pendingMax = 8 * 2 ** 20, batchMax = 32 * 2 ** 10, batchMs = 50 } = options
  let batch = ''
  let batchLines = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  /** True from the first batch handed on until none is left. */
  let writing = false
  let written = Promise.resolve()
  let dropped = 0

  const handOver = async (): Promise<void> => {
    writing = true
    while (batch !== '') {
      const chunk = batch
      const lines = batchLines
      batch = ''
      batchLines = 0
      try {
        // A large write is a promise too, and its rejection unheard would end the process.
        await Promise.all([target.write(chunk), target.flush()])
      } catch {
        // EPIPE: the reader is gone. The service outlives its log.
        dropped += lines
      }
    }
    writing = false
  }
  const start = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (!writing) written = handOver()
  }

  return {
    write(line) {
      if (batch.length + line.length > pendingMax) {
        dropped++
        return
      }
      batch += line
      batchLines++
      if (writing) return
      if (batch.length >= batchMax) start()
      else timer ??= setTimeout(start, batchMs)
    },
    async flush() {
      while (batch !== '' || writing) {
        start()
        await written
      }
    },
    get dropped() {
      return dropped
    },
  }
}
