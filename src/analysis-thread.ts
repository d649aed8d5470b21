import type { PayloadLimits } from './analysis/payload.ts'
import { analysisOf } from './queue/handlers.ts'
import type { Answer } from './threads/thread-pool.ts'

// A thread that analyses large payloads: started by analysis-threads.ts with the limits as its argument.

declare const self: Worker

const limits = JSON.parse(process.argv.at(-1) as string) as PayloadLimits
const resultOf = analysisOf(limits)

self.onmessage = ({ data }: MessageEvent<string>) => self.postMessage(answerTo(data))

function answerTo(payload: string): Answer {
  try {
    return { ok: true, result: resultOf(payload) }
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    return { ok: false, name, message }
  }
}
