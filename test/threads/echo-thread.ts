import type { Reply } from '../../src/threads/thread-pool.ts'

// A thread that replies with the text of the job, unless the text requests a failure.

declare const self: Worker

self.onmessage = ({ data }: MessageEvent<string>) => {
  const error = new RangeError('requested')
  if (data === 'crash') throw error
  if (data === 'exit') process.exit(3)
  while (data === 'loop');
  const reply: Reply =
    data === 'throw' ? { ok: false, name: error.name, message: error.message } : { ok: true, result: data }
  self.postMessage(reply)
}
