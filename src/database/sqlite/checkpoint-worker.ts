import { Database } from 'bun:sqlite'
import { failureReply, type Reply } from '../../threads/thread-pool.ts'

// The program of a thread that checkpoints the SQLite file whose path it receives. write-ahead-log.ts starts it.

declare const self: Worker

self.onmessage = ({ data }: MessageEvent<string>) => self.postMessage(checkpoint(data))

function checkpoint(path: string): Reply {
  try {
    // Closed each time: the last connection to close a file deletes its log, and should be the service's.
    using db = new Database(path, { readwrite: true, strict: true })
    // PASSIVE copies the log without the write lock, so other processes go on writing.
    db.run('pragma wal_checkpoint(passive)')
    // FULL copies what they appended meanwhile. Without a busy timeout it waits for no reader and no writer. If it gets the
    // write lock, nothing is appended until it ends, so the log can start over.
    db.run('pragma wal_checkpoint(full)')
    return { ok: true, result: undefined }
  } catch (error) {
    return failureReply(error)
  }
}
