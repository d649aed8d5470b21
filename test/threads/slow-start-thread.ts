import { threadReady } from '../../src/threads/thread-pool.ts'

// A thread that starts slowly, announces that it is ready, and replies with the text of the job.

declare const self: Worker

const ready = Bun.sleep(400).then(() => self.postMessage(threadReady))

self.onmessage = async ({ data }: MessageEvent<string>) => {
  await ready
  while (data === 'loop');
  self.postMessage({ ok: true, result: data })
}
