import { joined } from '../../http/body/body-buffer.ts'
import type { LargeBody } from '../../http/body/large-body.ts'
import { analysisOf } from '../../tasks/handlers.ts'
import { type NewTask, newTaskOf } from '../parse/parse-new-task.ts'
import { type PayloadOutcome, payloadOutcomeOf } from '../parse/payload-outcome.ts'
import type { PayloadLimits } from '../payload.ts'
import type { AnalysisJob } from './analysis-pool.ts'
import type { Answer } from './thread-pool.ts'

// A thread that works on large bodies and payloads: started by analysis-threads.ts with the limits as its argument.

declare const self: Worker

/**
 * After a job of more bytes than this its garbage is collected, if no other job comes for a moment. Not at once: memory
 * that is given back has to be had again. Measured, 18 MB one after another, CPU time of a request: 71 ms when
 * collected each time, 57 ms so (bare Bun: 67).
 */
const collectedFrom = 4 * 2 ** 20
const collectedAfterMs = 100
let collection: ReturnType<typeof setTimeout> | undefined

const limits = JSON.parse(process.argv.at(-1) as string) as PayloadLimits
const resultOf = analysisOf(limits)
const outcomeOf = payloadOutcomeOf(limits)
const newTask = newTaskOf(limits)

self.onmessage = ({ data }: MessageEvent<AnalysisJob>) => {
  clearTimeout(collection)
  self.postMessage(answerTo(data))
  if (bytesOf(data) > collectedFrom) collection = setTimeout(() => Bun.gc(true), collectedAfterMs)
}

function bytesOf(job: AnalysisJob): number {
  return job.kind === 'task' ? job.payload.length : job.size
}

function answerTo(job: AnalysisJob): Answer {
  try {
    return { ok: true, result: job.kind === 'task' ? resultOf(job.payload) : outcomeOfBody(job) }
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    return { ok: false, name, message }
  }
}

function outcomeOfBody(body: LargeBody): PayloadOutcome | NewTask {
  const { blocks, size } = body
  const bytes = joined(blocks, size)
  // Given back before the parser needs memory: that keeps the peak lower by the size of the body.
  const release = (): void => {
    for (const block of blocks) block.transfer(0)
  }
  return body.kind === 'payload' ? outcomeOf(bytes, release) : newTask(bytes, body.isKeyed, release)
}
