import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { defineKind, type TaskKind } from '../../src/tasks/kinds/kind.ts'
import { acceptedKinds, taskKinds } from '../../src/tasks/kinds/registry.ts'
import { createTask, type Task } from '../../src/tasks/task.ts'
import { createTaskHandler, findTimeout, kindLabel } from '../../src/tasks/task-handler.ts'
import { TaskPostponed } from '../../src/tasks/task-queue.ts'

const deps = {
  limits: { maxNumbers: 10, maxTextLength: 100 },
  threads: { runTask: () => Promise.reject(new Error('no thread is needed')) },
}
const { signal } = new AbortController()
const newTask = (kind: string, payload: unknown): Task =>
  createTask('a', { kind, payload: JSON.stringify(payload) }, { createdAt: 0 })

describe('the handler of all tasks', () => {
  const handle = createTaskHandler(deps)

  test('passes each task to the handler of its kind', async () => {
    expect(JSON.parse(await handle(newTask('analysis', 'a b'), { signal }))).toMatchObject({
      text_analysis: { word_count: 2 },
    })
    expect(JSON.parse(await handle(newTask('demo', { seconds: 0 }), { signal }))).toEqual({
      slept_seconds: 0,
    })
  })

  test('postpones a task of a kind that it does not know', async () => {
    for (const kind of ['newer', '', 'constructor', '__proto__'])
      await expect(handle(newTask(kind, 1), { signal })).rejects.toBeInstanceOf(TaskPostponed)
  })

  test('limits a run by its kind and by the configuration', () => {
    expect(findTimeout({ kind: 'demo' }, 300_000)).toBe(60_000)
    expect(findTimeout({ kind: 'demo' }, 1_000)).toBe(1_000)
    expect(findTimeout({ kind: 'newer' }, 300_000)).toBe(300_000)
  })

  test('labels unknown kinds with one value', () => {
    expect(['analysis', 'demo', 'newer', 'other'].map((kind) => kindLabel({ kind }))).toEqual([
      'analysis',
      'demo',
      'unknown',
      'unknown',
    ])
  })
})

describe('the registry', () => {
  test('has kinds with distinct names that fit into a metric label and a schema name', () => {
    const names = taskKinds.map(({ name }) => name)
    expect(new Set<string>(names).size).toBe(names.length)
    for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/)
    expect(names).not.toContain('unknown')
  })

  test('offers debug kinds only with debug routes', () => {
    const names = (debug: boolean) => acceptedKinds({ debug }).map(({ name }) => name)
    expect(names(false)).toContain('analysis')
    expect(names(false)).not.toContain('demo')
    expect(names(true)).toEqual(taskKinds.map(({ name }) => name))
  })

  test('has kinds with a time limit', () => {
    for (const { timeoutMs } of taskKinds as readonly TaskKind[])
      expect(timeoutMs).toBeWithin(1, 24 * 60 * 60_000)
  })
})

describe('a defined kind', () => {
  const double = defineKind({
    name: 'double',
    description: 'Doubles a number.',
    timeoutMs: 1_000,
    payload: () => z.strictObject({ n: z.string().transform(Number) }),
    result: () => z.number(),
    run: ({ n }, { task }) => n * 2 * task.priority,
  })

  test('gets the payload from the schema, and returns its result as JSON', async () => {
    expect(await double.createHandler(deps)(newTask('double', { n: '21' }), { signal })).toBe('210')
  })

  test('does not run for an invalid payload', async () => {
    await expect(double.createHandler(deps)(newTask('double', { n: 1 }), { signal })).rejects.toThrow(
      'payload/n: ',
    )
  })

  test('without a result has null', async () => {
    const nothing = defineKind({
      name: 'nothing',
      description: 'Does nothing.',
      timeoutMs: 1_000,
      payload: () => z.null(),
      result: () => z.undefined(),
      run: () => undefined,
    })
    expect(await nothing.createHandler(deps)(newTask('nothing', null), { signal })).toBe('null')
  })
})
