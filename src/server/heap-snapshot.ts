import type { HeapSnapshot } from '../http/routes/heap.ts'

const chunkBytes = 256 * 1024

/** Takes a heap snapshot of this process. It blocks the event loop. */
function takeSnapshot(): ArrayBuffer {
  return Bun.generateHeapSnapshot('v8', 'arraybuffer')
}

/** A heap snapshot of this process, streamed at the pace of the reader; undefined for any other `pid`. */
export async function localHeapSnapshot(pid = process.pid): Promise<HeapSnapshot | undefined> {
  if (pid !== process.pid) return undefined
  const bytes = new Uint8Array(takeSnapshot())
  let sent = 0
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent === bytes.length) return controller.close()
      controller.enqueue(bytes.subarray(sent, sent + chunkBytes))
      sent = Math.min(sent + chunkBytes, bytes.length)
    },
  })
  return { pid, body }
}

/** Writes a heap snapshot of this process to a file that another process reads. */
export async function writeHeapSnapshot(path: string): Promise<void> {
  await Bun.write(path, takeSnapshot())
}

/**
 * A heap snapshot of another process, passed through a temporary file. The file is unlinked before it is read.
 *
 * @param directory where the file is created
 * @param write asks a process to write its snapshot to a path; resolves with its pid, or undefined when there is none
 */
export async function remoteHeapSnapshot(
  directory: string,
  write: (path: string) => Promise<number | undefined>,
): Promise<HeapSnapshot | undefined> {
  // Loaded on demand: node:stream would slow down every start.
  const [{ Readable }, { open, rm }] = await Promise.all([import('node:stream'), import('node:fs/promises')])
  const path = `${directory}/${Bun.randomUUIDv7()}.heapsnapshot`
  try {
    const pid = await write(path)
    if (pid === undefined) return undefined
    const file = await open(path)
    const stream = Readable.toWeb(file.createReadStream({ highWaterMark: chunkBytes }))
    return { pid, body: stream as ReadableStream<Uint8Array> }
  } finally {
    await rm(path, { force: true })
  }
}
