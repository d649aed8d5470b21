import type { z } from 'zod'
import type { PayloadLimits } from '../../analysis/payload.ts'
import type { AnalysisPool } from '../../analysis/pool/jobs.ts'
import type { Task } from '../task.ts'
import { type RunContext, type TaskHandler, UnrecoverableTask } from '../task-queue.ts'

/** Resources that the handlers of a process share. */
export interface KindDeps {
  readonly limits: PayloadLimits
  readonly threads: Pick<AnalysisPool, 'runTask'>
}

/**
 * A kind of work. Validation, the API document, the typed client, the worker and its metrics follow from the list of
 * kinds in registry.ts.
 *
 * Schemas are created by functions, because creating them takes time that a start should not pay.
 */
export interface TaskKind<Name extends string = string, Payload extends z.ZodType = z.ZodType> {
  /** The value of `kind` in requests: lower-case letters, digits and hyphens. It is also a label of metrics. */
  readonly name: Name
  /** One sentence for the API document. */
  readonly description: string
  /** The longest time of one run, in ms. `TASK_TIMEOUT` bounds it. */
  readonly timeoutMs: number
  /** Whether clients may only send it where `DEBUG_ROUTES` is on. Default false. */
  readonly isDebug?: boolean
  /** The schema of the payload. The queue keeps a payload as it was sent, and the worker validates it again. */
  readonly payloadSchema: (limits: PayloadLimits) => Payload
  /** A faster equivalent of the schema for a kind whose schema is slow. Default: the schema. */
  readonly isPayload?: (payload: unknown, limits: PayloadLimits) => boolean
  /** The schema of the result, for the API document. */
  readonly resultSchema: () => z.ZodType
  readonly createHandler: (deps: KindDeps) => TaskHandler
}

/** The context of a run. */
export interface KindContext extends RunContext {
  /** `attempts` counts this run. */
  readonly task: Task
}

export interface KindDefinition<Name extends string, Payload extends z.ZodType, Result>
  extends Pick<TaskKind<Name, Payload>, 'name' | 'description' | 'timeoutMs' | 'isDebug'> {
  readonly payload: (limits: PayloadLimits) => Payload
  readonly result: () => z.ZodType<Result>
  /**
   * Does the work. It must end soon after the signal aborts. It may run more than once for one task, because a worker
   * can die after the work and before its result is recorded.
   *
   * @throws UnrecoverableTask when another attempt would fail the same way; other errors are retried
   */
  readonly run: (payload: z.output<Payload>, context: KindContext) => Promise<Result> | Result
}

/**
 * Defines a kind of work whose payload and result are small enough to be parsed and serialized on the event loop.
 *
 * @example defineKind({ name: 'double', description: 'Doubles a number.', timeoutMs: 1_000,
 *   payload: () => z.number(), result: () => z.number(), run: (n) => 2 * n })
 */
export function defineKind<const Name extends string, Payload extends z.ZodType, Result>({
  payload: payloadSchema,
  result: resultSchema,
  run,
  ...definition
}: KindDefinition<Name, Payload, Result>): TaskKind<Name, Payload> {
  return {
    ...definition,
    payloadSchema,
    resultSchema,
    createHandler({ limits }) {
      let schema: Payload | undefined
      return async (task, context) => {
        schema ??= payloadSchema(limits)
        const payload = await schema.safeParseAsync(JSON.parse(task.payload))
        if (!payload.success) throw new UnrecoverableTask(describeIssue(payload.error))
        return JSON.stringify((await run(payload.data, { ...context, task })) ?? null)
      }
    },
  }
}

function describeIssue({ issues: [issue] }: z.ZodError): string {
  return `${['payload', ...(issue?.path ?? [])].join('/')}: ${issue?.message}`
}
