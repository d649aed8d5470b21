import { createNewTaskParser, type NewTaskResult } from '../parse/parse-new-task.ts'
import type { PayloadLimits } from '../payload.ts'
import { createPayloadAnalyzer, type PayloadResult } from '../payload-analyzer.ts'
import { createTaskAnalyzer } from '../task-analyzer.ts'
import { concatBlocks } from './concat-blocks.ts'
import type { AnalysisJob, BodyJob } from './jobs.ts'
import type { Answer } from './thread-pool.ts'

// The program of an analysis thread. analysis-pool.ts starts it with the limits as its last argument.

declare const self: Worker

/**
 * After a job of more bytes than this the thread collects garbage, unless another job comes soon. Not at once: during a
 * series of large bodies, memory that is given back has to be requested again, which costs more than collecting saves.
 */
const collectMinBytes = 4 * 2 ** 20
const collectDelayMs = 100
let collection: ReturnType<typeof setTimeout> | undefined

const limits = JSON.parse(process.argv.at(-1) as string) as PayloadLimits
const analyzeTask = createTaskAnalyzer(limits)
const analyzePayload = createPayloadAnalyzer(limits)
const parseNewTask = createNewTaskParser(limits)

self.onmessage = ({ data }: MessageEvent<AnalysisJob>) => {
  clearTimeout(collection)
  self.postMessage(run(data))
  const bytes = data.kind === 'task' ? data.payload.length : data.size
  if (bytes > collectMinBytes) collection = setTimeout(() => Bun.gc(true), collectDelayMs)
}

function run(job: AnalysisJob): Answer {
  try {
    return { ok: true, result: job.kind === 'task' ? analyzeTask(job.payload) : runBodyJob(job) }
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    return { ok: false, name, message }
  }
}

function runBodyJob(job: BodyJob): PayloadResult | NewTaskResult {
  const { blocks, size } = job
  const bytes = concatBlocks(blocks, size)
  // Freed before the parser needs memory: that lowers the peak by the size of the body.
  const release = (): void => {
    for (const block of blocks) block.transfer(0)
  }
  return job.kind === 'payload' ? analyzePayload(bytes, release) : parseNewTask(bytes, job.isKeyed, release)
}
