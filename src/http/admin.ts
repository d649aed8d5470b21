import type { Context } from 'hono'
import { z } from 'zod'
import type { Change, Live } from '../live/live.ts'
import { faultsSchema, logLevelSchema, noFaults } from '../live/settings.ts'
import { readJson } from './body.ts'
import { json } from './exchange.ts'
import { fieldErrors, summarize } from './field-errors.ts'
import { heapRoute, type TakeHeapSnapshot } from './heap.ts'
import type { Problems } from './problem.ts'
import { problemResponses } from './problem-docs.ts'
import type { Env, Route } from './route.ts'

/** The largest body that is read here, in bytes. */
const bodyBytesMax = 16 * 1024

const logLevelBody = z.strictObject({ level: logLevelSchema }).meta({ id: 'LogLevel' })
const enabledBody = z
  .strictObject({ enabled: z.boolean().describe('Whether `/ready` may say yes') })
  .meta({ id: 'Enabled' })

export interface AdminOptions {
  readonly live: Live
  /** Whether there are requests that faults can be injected into. */
  readonly injectsFaults: boolean
  readonly takeHeapSnapshot: TakeHeapSnapshot
  readonly problems: Problems
}

/** What changes a running instance: its readiness, its log level, what goes wrong in it on purpose. And a look inside. */
export function adminRoutes({ live, injectsFaults, takeHeapSnapshot, problems }: AdminOptions): Route[] {
  const change = (c: Context<Env>, wanted: Change): Promise<void> =>
    live.change(wanted, `request ${c.env.requestId}`)

  const enable = (enabled: boolean) => async (c: Context<Env>) => {
    await change(c, { enabled })
    return json(c.env, { enabled: live.settings.enabled })
  }

  /** Reads a body, changes what it says, and answers with how it is now. */
  const put =
    <Schema extends z.ZodType>(
      schema: Schema,
      changeOf: (body: z.output<Schema>) => Change,
      show: (c: Context<Env>) => Response,
    ) =>
    async (c: Context<Env>) => {
      const body = await readJson(c.req.raw, bodyBytesMax)
      if (!body.ok) return problems.answer(c.env, body.refusal)
      const parsed = schema.safeParse(body.value)
      if (!parsed.success) {
        const errors = fieldErrors(parsed.error)
        return problems.answer(c.env, { code: 'invalid-input', detail: summarize(errors), errors })
      }
      await change(c, changeOf(parsed.data))
      return show(c)
    }

  const showLogLevel = (c: Context<Env>) => json(c.env, { level: live.settings.logLevel })
  const showFaults = (c: Context<Env>) => json(c.env, live.settings.faults)

  const routes: Route[] = [
    {
      method: 'POST',
      path: '/ready/enable',
      kind: 'admin',
      handler: enable(true),
      doc: docs('enable', 'Puts the instance back into rotation', enabledBody),
    },
    {
      method: 'POST',
      path: '/ready/disable',
      kind: 'admin',
      handler: enable(false),
      doc: docs(
        'disable',
        'Takes the instance out of rotation: `/ready` says no, all else goes on',
        enabledBody,
      ),
    },
    {
      method: 'GET',
      path: '/admin/log-level',
      kind: 'admin',
      handler: showLogLevel,
      doc: docs('showLogLevel', 'The least level that is written', logLevelBody),
    },
    {
      method: 'PUT',
      path: '/admin/log-level',
      kind: 'admin',
      handler: put(logLevelBody, ({ level }) => ({ logLevel: level }), showLogLevel),
      doc: docs('setLogLevel', 'Changes it, until the next start', logLevelBody, logLevelBody),
    },
    heapRoute(takeHeapSnapshot, problems),
  ]
  if (!injectsFaults) return routes
  return [
    ...routes,
    {
      method: 'GET',
      path: '/admin/faults',
      kind: 'admin',
      handler: showFaults,
      doc: docs('showFaults', 'What goes wrong on purpose', faultsSchema),
    },
    {
      method: 'PUT',
      path: '/admin/faults',
      kind: 'admin',
      handler: put(faultsSchema, (faults) => ({ faults }), showFaults),
      doc: docs('setFaults', 'Sets it; what is left out is off', faultsSchema, faultsSchema),
    },
    {
      method: 'DELETE',
      path: '/admin/faults',
      kind: 'admin',
      handler: async (c) => {
        await change(c, { faults: noFaults })
        return showFaults(c)
      },
      doc: docs('clearFaults', 'Nothing goes wrong on purpose any more', faultsSchema),
    },
  ]
}

function docs(operationId: string, summary: string, answer: z.ZodType, body?: z.ZodType) {
  return {
    operationId,
    summary,
    tags: ['admin'],
    ...(body !== undefined && { requestBody: { content: { 'application/json': { schema: body } } } }),
    responses: {
      '200': { description: 'As it is now', content: { 'application/json': { schema: answer } } },
      ...(body === undefined
        ? problemResponses()
        : problemResponses(
            'malformed-json',
            'not-utf-8',
            'invalid-input',
            'body-not-received',
            'body-too-large',
            'not-json',
          )),
    },
  }
}
