import { createPayloadAnalyzer, type PayloadResult } from '../analysis/payload-analyzer.ts'
import { concatBlocks } from '../analysis/pool/concat-blocks.ts'
import type { AnalysisJob, BodyJob, NewTaskResult } from '../analysis/pool/jobs.ts'
import { createTaskAnalyzer } from '../analysis/task-analyzer.ts'
import { createNewTaskParser, type NewTaskOptions } from '../tasks/new-task.ts'
import { failureReply, type Reply } from '../threads/thread-pool.ts'

// The program of an analysis thread. Its last argument has the limits of payloads and tasks. It is in this folder because
// it knows both payloads and the kinds of tasks.

declare const self: Worker

/**
 * After a job of more bytes than this the thread collects garbage, unless another job comes soon. Not at once: during a
 * series of large bodies, freed memory has to be requested again, which costs more than collecting saves.
 */
const collectMinBytes = 4 * 2 ** 20
const collectDelayMs = 100
let collection: ReturnType<typeof setTimeout> | undefined

const options = JSON.parse(process.argv.at(-1) as string) as NewTaskOptions
const { limits } = options
const analyzeTask = createTaskAnalyzer(limits)
const analyzePayload = createPayloadAnalyzer(limits)
const parseNewTask = createNewTaskParser(options)

self.onmessage = ({ data }: MessageEvent<AnalysisJob>) => {
  clearTimeout(collection)
  self.postMessage(run(data))
  const bytes = data.kind === 'task' ? data.payload.length : data.size
  if (bytes > collectMinBytes) collection = setTimeout(() => Bun.gc(true), collectDelayMs)
}

function run(job: AnalysisJob): Reply {
  try {
    return { ok: true, result: job.kind === 'task' ? analyzeTask(job.payload) : runBodyJob(job) }
  } catch (error) {
    return failureReply(error)
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
