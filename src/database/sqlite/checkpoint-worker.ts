import { Database } from 'bun:sqlite'
import type { Reply } from '../../threads/thread-pool.ts'

// The program of a thread that checkpoints the SQLite file whose path it receives. write-ahead-log.ts starts it.

declare const self: Worker

self.onmessage = ({ data }: MessageEvent<string>) => self.postMessage(checkpoint(data))

function checkpoint(path: string): Reply {
  try {
    // Closed each time: the last connection to close a file deletes its log, and should be the service's.
    using db = new Database(path, { readwrite: true, strict: true })
    // Passive: waits for no reader and no writer.
    db.run('pragma wal_checkpoint(passive)')
    return { ok: true, result: undefined }
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    return { ok: false, name, message }
  }
}
