import { z } from 'zod'
import { fingerprint } from '../analysis/parse/fingerprint.ts'
import { parseJson } from '../analysis/parse/parse-json.ts'
import { toInputError } from '../analysis/parse/validation-issues.ts'
import type { PayloadLimits } from '../analysis/payload.ts'
import type { NewTaskResult } from '../analysis/pool/jobs.ts'
import type { TaskKind } from './kinds/kind.ts'
import { acceptedKinds, defaultKind, type RegisteredKind } from './kinds/registry.ts'
import { type Schedule, type ScheduleInput, scheduleShape } from './schedule.ts'
import { maxPriority } from './task.ts'

/** The limits of accepted tasks. Plain data, because threads receive it. */
export interface NewTaskOptions {
  readonly limits: PayloadLimits
  /** Whether kinds for debugging are accepted. */
  readonly debug: boolean
}

/** The body of POST /tasks as a client sends it: one form for each kind. */
export type NewTaskInput = {
  [Kind in RegisteredKind as Kind['name']]: ScheduleInput &
    KindMember<Kind['name']> & { readonly payload: z.input<ReturnType<Kind['payloadSchema']>> }
}[RegisteredKind['name']]

type KindMember<Name> = Name extends typeof defaultKind
  ? { readonly kind?: Name | undefined }
  : { readonly kind: Name }

/** The body of POST /tasks after validation. */
export interface ValidNewTask extends Schedule {
  readonly kind?: string | undefined
  readonly payload: unknown
}

/** The schema of the body of POST /tasks. */
export function newTaskSchema(options: NewTaskOptions) {
  const [first, ...rest] = newTaskForms(options)
  const names = acceptedKinds(options).map(({ name }) => name)
  return z
    .discriminatedUnion('kind', [first, ...rest], {
      error: ({ code }) => (code === 'invalid_union' ? `must be one of ${names.join(', ')}` : undefined),
    })
    .meta({
      id: 'NewTask',
      description: 'A task of one of these kinds.',
      example: { payload: 'Sample text for analysis' },
      // A discriminator has to be required, and the kind has a default.
      override: ({ jsonSchema }) => {
        delete jsonSchema.discriminator
      },
    }) as unknown as z.ZodType<ValidNewTask, NewTaskInput>
}

/** The same for the API document, without a union when there is only one schema. */
export function describeNewTask(options: NewTaskOptions): z.ZodType {
  const [first, ...rest] = newTaskForms(options)
  return rest.length === 0 ? first : newTaskSchema(options)
}

/** A schema for the tasks of each kind. */
function newTaskForms({ limits, debug }: NewTaskOptions) {
  const shape = scheduleShape()
  const [first, ...rest] = acceptedKinds({ debug }).map((kind) => newTaskForm(kind, shape, limits))
  if (first === undefined) throw new Error('there is no kind of work')
  return [first, ...rest] as const
}

function newTaskForm(kind: TaskKind, shape: ReturnType<typeof scheduleShape>, limits: PayloadLimits) {
  const name = z.literal(kind.name)
  return z
    .strictObject({
      kind: kind.name === defaultKind ? name.optional().meta({ default: kind.name }) : name,
      payload: kind.payloadSchema(limits),
      ...shape,
    })
    .refine(({ run_at, delay }) => run_at === undefined || delay === undefined, {
      path: ['delay'],
      error: 'must not be used together with run_at',
      // Reported beside other issues.
      when: () => true,
    })
    .meta({
      id: `New${toTitle(kind.name)}Task`,
      description: kind.description,
      override: { dependentSchemas: { delay: { properties: { run_at: { not: {} } } } } },
    })
}

/** `word-count` becomes `WordCount`. */
function toTitle(name: string): string {
  return name.replaceAll(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase())
}

/**
 * Creates a check for the usual bodies of POST /tasks. It answers true only for bodies that `newTaskSchema` accepts, and
 * leaves bodies that name a time to the schema.
 */
export function createNewTaskCheck({
  limits,
  debug,
}: NewTaskOptions): (value: unknown) => value is ValidNewTask {
  const checks = new Map(
    acceptedKinds({ debug }).flatMap(({ name, isPayload }: TaskKind) =>
      isPayload === undefined ? [] : [[name, isPayload]],
    ),
  )
  return (value): value is ValidNewTask => {
    if (typeof value !== 'object' || value === null) return false
    const { kind = defaultKind, payload, priority } = value as Partial<ValidNewTask>
    for (const key in value) if (key !== 'payload' && key !== 'kind' && key !== 'priority') return false
    if (priority !== undefined && !isPriority(priority)) return false
    return checks.get(kind)?.(payload, limits) ?? false
  }
}

function isPriority(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= maxPriority
}

/**
 * Converts a valid body to the task that the queue stores.
 *
 * @param payload as it was sent; the handler applies the schema's transformations
 */
export function toNewTask({ kind = defaultKind, priority, run_at, delay }: ValidNewTask, payload: unknown) {
  return { kind, payload: JSON.stringify(payload), priority, runAt: run_at, delayMs: delay }
}

/**
 * Creates the parser of POST /tasks bodies: one call turns bytes into a task, so that a thread can do it. Serializing a
 * large payload again takes longer than parsing it.
 *
 * The parser calls `release` as soon as the bytes are no longer needed.
 */
export function createNewTaskParser(
  options: NewTaskOptions,
): (bytes: Uint8Array, isKeyed: boolean, release?: () => void) => NewTaskResult {
  let schema: ReturnType<typeof newTaskSchema> | undefined
  return (bytes, isKeyed, release) => {
    schema ??= newTaskSchema(options)
    const body = parseJson(bytes, release)
    if (!body.ok) return body
    const parsed = schema.safeParse(body.value)
    if (!parsed.success) return { ok: false, error: toInputError(parsed.error) }
    return {
      ok: true,
      task: toNewTask(parsed.data, (body.value as NewTaskInput).payload),
      fingerprint: isKeyed ? fingerprint(body.text) : undefined,
    }
  }
}
