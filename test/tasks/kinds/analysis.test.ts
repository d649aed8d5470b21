import { afterAll, describe, expect, test } from 'bun:test'
import { createAnalysisPool } from '../../../src/analysis/pool/analysis-pool.ts'
import { analysisProgram } from '../../../src/server/analysis-pool.ts'
import { analysis } from '../../../src/tasks/kinds/analysis.ts'
import { createTask, type Task } from '../../../src/tasks/task.ts'
import { UnrecoverableTask } from '../../../src/tasks/task-queue.ts'

const limits = { maxNumbers: 200_000, maxTextLength: 1_000_000 }
const pool = createAnalysisPool(analysisProgram({ limits, debug: false }), 1)
const handle = analysis.createHandler({ limits, threads: pool })
afterAll(() => pool.close())

async function handleTask(payload: unknown, signal = new AbortController().signal): Promise<unknown> {
  const task: Task = createTask('a', { kind: 'analysis', payload: JSON.stringify(payload) }, { createdAt: 0 })
  return JSON.parse(await handle(task, { signal }))
}

const summary = (count: number) => ({
  numeric_analysis: {
    count,
    minimum: 1,
    maximum: count,
    mean: (count + 1) / 2,
    median: (count + 1) / 2,
    standard_deviation: expect.any(Number),
  },
  text_analysis: {
    word_count: 1,
    character_count: 1,
    character_count_no_spaces: 1,
    sentence_count: 1,
    paragraph_count: 1,
  },
  processing_time_ms: expect.any(Number),
})
const countTo = (count: number) => Array.from({ length: count }, (_, n) => n + 1)

describe('the analysis handler', () => {
  test('a text without numbers gets only a text analysis', async () => {
    expect(await handleTask('a b. c')).toEqual({
      text_analysis: {
        word_count: 3,
        character_count: 6,
        character_count_no_spaces: 4,
        sentence_count: 2,
        paragraph_count: 1,
      },
    })
  })

  test('numbers and a text have the result of /payload', async () => {
    expect(await handleTask({ numbers: countTo(5), text: 'a' })).toEqual(summary(5))
  })

  test('a large payload has the same result, from a thread', async () => {
    expect(await handleTask({ numbers: countTo(100_001), text: 'a' })).toEqual(summary(100_001))
    expect(await handleTask('a'.repeat(500_000))).toMatchObject({
      text_analysis: { character_count: 500_000 },
    })
  })

  test.each([
    ['a small payload', '', /^payload must contain at least one character$/],
    [
      'a large payload',
      { numbers: countTo(200_001), text: 'a' },
      /^payload\/numbers must contain at most 200000/,
    ],
    ['an invalid payload', { numbers: [1] }, /^payload\/text is required$/],
  ])('%s beyond the limits is unrecoverable', async (_, payload, message) => {
    const error = await handleTask(payload).catch((error: Error) => error)
    expect(error).toBeInstanceOf(UnrecoverableTask)
    expect((error as Error).message).toMatch(message)
  })

  test('aborting a large payload ends it at once', async () => {
    const signal = AbortSignal.abort(new Error('the worker stops'))
    await expect(handleTask('a'.repeat(500_000), signal)).rejects.toThrow('the worker stops')
  })
})
