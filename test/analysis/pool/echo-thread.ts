import type { Answer } from '../../../src/analysis/pool/thread-pool.ts'

// A thread that answers a job with its own text, unless the text tells it to do something worse.

declare const self: Worker

self.onmessage = ({ data }: MessageEvent<string>) => {
  const error = new RangeError('as told')
  if (data === 'crash') throw error
  if (data === 'exit') process.exit(3)
  while (data === 'loop');
  const answer: Answer =
    data === 'throw' ? { ok: false, name: error.name, message: error.message } : { ok: true, result: data }
  self.postMessage(answer)
}
