import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseConfig } from '../../src/config.ts'
import { createNewTaskCheck, newTaskSchema } from '../../src/tasks/new-task.ts'
import { examplePayload } from '../support/example-payload.ts'

const options = { limits: { maxNumbers: 5, maxTextLength: 30 }, debug: true }

test('the fast check accepts only bodies that the schema accepts, and parses them the same way', () => {
  const schema = newTaskSchema(options)
  const isNewTask = createNewTaskCheck(options)
  const payload = fc.oneof(
    fc.string({ maxLength: 32 }),
    fc.constant(examplePayload),
    fc.record({ numbers: fc.array(fc.double(), { maxLength: 6 }), text: fc.string({ maxLength: 32 }) }),
    fc.record({ seconds: fc.double({ min: -1, max: 61 }) }),
    fc.anything(),
  )
  const kind = fc.oneof(
    { arbitrary: fc.constant('analysis'), weight: 5 },
    fc.constantFrom('demo', 'other', 'constructor'),
    fc.anything(),
  )
  const priority = fc.oneof(
    { arbitrary: fc.integer({ min: -1, max: 10 }), weight: 5 },
    fc.double(),
    fc.anything(),
  )
  const time = fc.record(
    {
      run_at: fc.constantFrom('2026-01-01T00:00:00Z', 'soon'),
      delay: fc.constantFrom('1s', 'soon'),
      more: fc.anything(),
    },
    { requiredKeys: [] },
  )
  const body = fc
    .tuple(
      fc.record({ payload, kind, priority }, { requiredKeys: ['payload'] }),
      fc.oneof({ arbitrary: fc.constant({}), weight: 5 }, time),
    )
    .map(([what, when]): unknown => ({ ...what, ...when }))
  let accepted = 0
  fc.assert(
    fc.property(fc.oneof({ arbitrary: body, weight: 5 }, fc.anything()), (value) => {
      if (!isNewTask(value)) return
      accepted++
      expect(schema.parse(value)).toEqual({ ...value })
    }),
    { numRuns: 2_000 },
  )
  expect(accepted).toBeGreaterThan(100)
})

test('durations are written as in the environment', () => {
  const schema = newTaskSchema(options)
  const written = fc.oneof(
    fc
      .tuple(
        fc.integer({ min: 0, max: 500 }),
        fc.constantFrom('ms', 's', 'm', 'h', 'd', ' s', 'S', '', '.5s'),
      )
      .map(([n, unit]) => `${n}${unit}`),
    fc.string({ maxLength: 5 }),
  )
  fc.assert(
    fc.property(
      // The environment is trimmed, and an empty variable counts as unset. Neither applies to a body.
      written.filter((text) => text !== '' && text === text.trim()),
      (text) => {
        const environment = parseConfig({ PRE_STOP: text })
        const task = schema.safeParse({ payload: 'a', delay: text })
        expect(task.success).toBe(environment.ok)
        if (environment.ok) expect(task.data?.delay).toBe(environment.config.PRE_STOP)
      },
    ),
  )
})
