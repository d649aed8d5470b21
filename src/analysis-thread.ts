import type { PayloadLimits } from './analysis/payload.ts'
import type { AnalysisJob } from './analysis-threads.ts'
import { payloadOutcomeOf } from './http/payload-outcome.ts'
import { joined } from './http/received-body.ts'
import { analysisOf } from './queue/handlers.ts'
import type { Answer } from './threads/thread-pool.ts'

// A thread that works on large bodies and payloads: started by analysis-threads.ts with the limits as its argument.

declare const self: Worker

const limits = JSON.parse(process.argv.at(-1) as string) as PayloadLimits
const resultOf = analysisOf(limits)
const outcomeOf = payloadOutcomeOf(limits)

self.onmessage = ({ data }: MessageEvent<AnalysisJob>) => self.postMessage(answerTo(data))

function answerTo(job: AnalysisJob): Answer {
  try {
    const result = job.kind === 'task' ? resultOf(job.payload) : outcomeOf(joined(job.blocks, job.size))
    return { ok: true, result }
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    return { ok: false, name, message }
  }
}
