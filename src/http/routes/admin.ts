import type { Context } from 'hono'
import type { z } from 'zod'
import type { SettingsChange, RuntimeSettings } from '../../runtime-settings/runtime-settings.ts'
import { noFaults } from '../../runtime-settings/settings.ts'
import { readJson } from '../body/json-body.ts'
import { fieldErrors, summarize } from '../field-errors.ts'
import type { adminDocs } from '../openapi/admin.ts'
import type { Problems } from '../problem.ts'
import { json } from '../request-context.ts'
import type { Env, Route } from '../route.ts'
import { heapRoute, type TakeHeapSnapshot } from './heap.ts'

/** The largest body that is read here, in bytes. */
const bodyBytesMax = 16 * 1024

export interface AdminOptions {
  readonly live: RuntimeSettings
  /** Whether there are requests that faults can be injected into. */
  readonly injectsFaults: boolean
  readonly takeHeapSnapshot: TakeHeapSnapshot
  readonly problems: Problems
}

/** What changes a running instance: its readiness, its log level, what goes wrong in it on purpose. And a look inside. */
export function adminRoutes({ live, injectsFaults, takeHeapSnapshot, problems }: AdminOptions): Route[] {
  const change = (c: Context<Env>, wanted: SettingsChange): Promise<void> =>
    live.change(wanted, `request ${c.env.requestId}`)

  const enable = (enabled: boolean) => async (c: Context<Env>) => {
    await change(c, { enabled })
    return json(c.env, { enabled: live.current.enabled })
  }

  /** Reads a body, changes what it says, and answers with how it is now. */
  const put =
    <Schema extends z.ZodType>(
      schemaOf: () => Promise<Schema>,
      changeOf: (body: z.output<Schema>) => SettingsChange,
      show: (c: Context<Env>) => Response,
    ) =>
    async (c: Context<Env>) => {
      const body = await readJson(c.req.raw, bodyBytesMax)
      if (!body.ok) return problems.answer(c.env, body.refusal)
      const parsed = (await schemaOf()).safeParse(body.value)
      if (!parsed.success) {
        const errors = fieldErrors(parsed.error)
        return problems.answer(c.env, { code: 'invalid-input', detail: summarize(errors), errors })
      }
      await change(c, changeOf(parsed.data))
      return show(c)
    }

  const showLogLevel = (c: Context<Env>) => json(c.env, { level: live.current.logLevel })
  const showFaults = (c: Context<Env>) => json(c.env, live.current.faults)

  const routes: Route[] = [
    {
      method: 'POST',
      path: '/ready/enable',
      kind: 'admin',
      handler: enable(true),
      doc: () => docOf('enable'),
    },
    {
      method: 'POST',
      path: '/ready/disable',
      kind: 'admin',
      handler: enable(false),
      doc: () => docOf('disable'),
    },
    {
      method: 'GET',
      path: '/admin/log-level',
      kind: 'admin',
      handler: showLogLevel,
      doc: () => docOf('showLogLevel'),
    },
    {
      method: 'PUT',
      path: '/admin/log-level',
      kind: 'admin',
      handler: put(
        async () => (await schemas()).logLevelBody,
        ({ level }) => ({ logLevel: level }),
        showLogLevel,
      ),
      doc: () => docOf('setLogLevel'),
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
      doc: () => docOf('showFaults'),
    },
    {
      method: 'PUT',
      path: '/admin/faults',
      kind: 'admin',
      handler: put(
        async () => (await schemas()).faultsSchema,
        (faults) => ({ faults }),
        showFaults,
      ),
      doc: () => docOf('setFaults'),
    },
    {
      method: 'DELETE',
      path: '/admin/faults',
      kind: 'admin',
      handler: async (c) => {
        await change(c, { faults: noFaults })
        return showFaults(c)
      },
      doc: () => docOf('clearFaults'),
    },
  ]
}

/** The schemas of the bodies, and the documents made from them: loaded by the first request that needs one. */
function schemas() {
  return import('../openapi/admin.ts')
}

async function docOf(name: keyof typeof adminDocs) {
  return (await schemas()).adminDocs[name]
}
