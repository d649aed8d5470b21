import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Namespace } from './kubectl.ts'

/** One pod from its first observation to its end, as reported by the API server. Times are Unix ms. */
export interface PodLife {
  readonly name: string
  readonly uid: string
  /** Its Deployment or StatefulSet, such as `api`; otherwise its own name. */
  readonly workload: string
  /** Which pod template it has. */
  readonly revision: string
  /** Its address; empty before it has one. */
  address: string
  ready: boolean
  /** Whether it was ever ready, so that it received requests. */
  everReady: boolean
  restarts: number
  /** Why its container does not run, such as ImagePullBackOff; empty while it runs. */
  waiting: string
  /** True from its deletion on. */
  terminating: boolean
  gone: boolean
  goneMs: number | null
  /** When it logged the start of its drain: from then on every response has `Connection: close`. */
  drainingMs: number | null
  /** The exit code of its container; null while it runs or if the exit was not observed. */
  exitCode: number | null
}

/** Every pod of a namespace, including deleted ones. */
export interface Pods {
  all(workload?: string): readonly PodLife[]
  /** Existing pods that are not being deleted. */
  live(workload: string): readonly PodLife[]
  byName(name: string): PodLife | undefined
  close(): void
}

const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
    ownerReferences: z.array(z.object({ kind: z.string(), name: z.string() })).default([]),
    deletionTimestamp: z.string().optional(),
    resourceVersion: z.string(),
  }),
  spec: z.object({ containers: z.array(z.object({ name: z.string() })).min(1) }),
  status: z.object({
    podIP: z.string().default(''),
    conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
    containerStatuses: z
      .array(
        z.object({
          restartCount: z.number(),
          state: z.object({
            running: z.object({}).optional(),
            waiting: z.object({ reason: z.string().optional() }).optional(),
            terminated: z.object({ exitCode: z.number() }).optional(),
          }),
        }),
      )
      .default([]),
  }),
})
type Pod = z.output<typeof podSchema>

const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  items: z.array(podSchema),
})
const eventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED']), object: podSchema }),
  z.object({ type: z.literal('ERROR') }),
])

/**
 * Watches the pods of a namespace and follows the logs of those of `workloads`, until closed.
 *
 * @param directory for the logs, without their access lines
 */
export async function watchPods(
  namespace: Namespace,
  workloads: readonly string[],
  directory: string,
): Promise<Pods> {
  await mkdir(directory, { recursive: true })
  const lives = new Map<string, PodLife>()
  const followed = new Set<string>()
  const closing = new AbortController()
  const url = `${namespace.apiUrl}/api/v1/namespaces/${namespace.name}/pods`

  const see = (pod: Pod, gone: boolean): void => {
    const { uid, name } = pod.metadata
    const life = lives.get(uid) ?? newLife(pod)
    lives.set(uid, life)
    const [container] = pod.status.containerStatuses
    life.ready = pod.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
    life.everReady ||= life.ready
    life.address = pod.status.podIP || life.address
    life.restarts = container?.restartCount ?? life.restarts
    life.waiting = container?.state.waiting?.reason ?? ''
    life.terminating = pod.metadata.deletionTimestamp !== undefined
    life.exitCode = container?.state.terminated?.exitCode ?? life.exitCode
    if (gone) markGone(life)
    if (container?.state.running !== undefined && workloads.includes(life.workload) && !followed.has(uid)) {
      followed.add(uid)
      const logUrl = `${url}/${name}/log?follow=true&container=${pod.spec.containers[0]?.name}`
      // The report shows unreadable parts of a log as missing.
      void followLog(logUrl, life, join(directory, `${name}.log`), closing.signal).catch(() => {})
    }
  }

  const list = async (): Promise<string> => {
    const { metadata, items } = listSchema.parse(await (await fetch(url)).json())
    for (const pod of items) see(pod, false)
    const there = new Set(items.map((pod) => pod.metadata.uid))
    for (const life of lives.values()) if (!there.has(life.uid)) markGone(life)
    return metadata.resourceVersion
  }
  let version = await list()
  void (async () => {
    while (!closing.signal.aborted) {
      try {
        const watch = `${url}?watch=1&resourceVersion=${version}`
        for await (const line of linesOf(watch, closing.signal)) {
          const event = eventSchema.parse(JSON.parse(line))
          // The version is too old for a watch. A new list has a newer one.
          if (event.type === 'ERROR') break
          version = event.object.metadata.resourceVersion
          see(event.object, event.type === 'DELETED')
        }
      } catch {
        await Bun.sleep(200)
      }
      if (closing.signal.aborted) return
      // A watch ends from time to time. A new list has the changes that it missed.
      version = await list().catch(() => version)
    }
  })()

  return {
    all: (workload) =>
      [...lives.values()].filter((life) => workload === undefined || life.workload === workload),
    live: (workload) =>
      [...lives.values()].filter((life) => life.workload === workload && !life.gone && !life.terminating),
    byName: (name) => [...lives.values()].find((life) => life.name === name),
    close: () => closing.abort(),
  }
}

function markGone(life: PodLife): void {
  life.gone = true
  life.goneMs ??= Date.now()
}

function newLife(pod: Pod): PodLife {
  return {
    name: pod.metadata.name,
    uid: pod.metadata.uid,
    workload: workloadOf(pod.metadata),
    revision: revisionOf(pod.metadata.labels),
    address: '',
    ready: false,
    everReady: false,
    restarts: 0,
    waiting: '',
    terminating: false,
    gone: false,
    goneMs: null,
    drainingMs: null,
    exitCode: null,
  }
}

/**
 * The Deployment or StatefulSet of a pod, by its owner: a ReplicaSet is named after the Deployment and the hash of the
 * pod template.
 *
 * @example workloadOf({ name: 'api-5d9-x', labels: { 'pod-template-hash': '5d9' },
 *   ownerReferences: [{ kind: 'ReplicaSet', name: 'api-5d9' }] }) // 'api'
 */
export function workloadOf(pod: Pick<Pod['metadata'], 'name' | 'labels' | 'ownerReferences'>): string {
  const owner = pod.ownerReferences[0]?.name ?? pod.name
  const hash = revisionOf(pod.labels)
  return hash !== '' && owner.endsWith(`-${hash}`) ? owner.slice(0, -hash.length - 1) : owner
}

/** The hash of a pod's template: by a Deployment, or by Argo Rollouts. */
function revisionOf(labels: Readonly<Record<string, string>>): string {
  return labels['pod-template-hash'] ?? labels['rollouts-pod-template-hash'] ?? ''
}

async function followLog(url: string, life: PodLife, file: string, signal: AbortSignal): Promise<void> {
  for await (const line of linesOf(url, signal)) {
    if (line.includes('"msg":"request"')) continue
    life.drainingMs ??= drainTimeOf(line)
    await appendFile(file, `${line}\n`)
  }
}

/**
 * The time of a log line about the start of a drain, in Unix ms; null for any other line.
 *
 * @example drainTimeOf('{"time":"2026-11-21T10:00:00.000Z","msg":"draining"}') // 1795255200000
 */
export function drainTimeOf(line: string): number | null {
  if (!line.includes('"msg":"draining')) return null
  const { time } = JSON.parse(line) as { time: string }
  return Date.parse(time)
}

/** The lines of a streamed response, as they arrive. */
async function* linesOf(url: string, signal: AbortSignal): AsyncGenerator<string> {
  // Bun ends a silent fetch after five minutes, but a watch may be silent for longer.
  const response = await fetch(url, { signal, timeout: false })
  if (!response.ok || response.body === null) throw new Error(`${url} answers ${response.status}`)
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of response.body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}
