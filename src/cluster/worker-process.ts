import type { Registry } from 'prom-client'
import type { Checks, Lifecycle } from '../lifecycle/index.ts'
import { openSteering } from '../lifecycle/reuseport.ts'
import type { ChangeSettings, RuntimeSettings } from '../runtime-settings/runtime-settings.ts'
import {
  type Answers,
  type FromMember,
  type Question,
  type Snapshot,
  snapshotOf,
  type ToMember,
} from './messages.ts'
import { PendingAnswers } from './rpc-client.ts'

/** How often a process tells what it has counted, in ms: what a SIGKILL can take from the sum. */
const snapshotEveryMs = 1_000

/** How long a scrape waits for the supervisor, in ms; then it answers for this process alone. */
const sumTimeoutMs = 2_000

/** How long the supervisor may take to let the processes have a change, in ms. */
const changeTimeoutMs = 2_000

export interface Member {
  /** The metrics of all processes, in the text format. */
  scrape(): Promise<string>
  /** Resolves when this process has the settings that hold in all. */
  readonly settled: Promise<void>
  /**
   * Has the supervisor change the settings of all processes.
   * @throws when it does not answer.
   */
  readonly change: ChangeSettings
}

export interface MemberOptions {
  readonly lifecycle: Lifecycle
  readonly registry: Registry
  readonly checks: Checks
  readonly live: RuntimeSettings
  /** Writes a heap snapshot of this process into a file. */
  readonly writeHeapSnapshot: (path: string) => Promise<void>
  /** Where this process listens. */
  readonly port: number
}

/**
 * Joins the processes that share a port: tells the supervisor that this one listens and what it counts,
 * and steers the port's connections when told to. A member whose supervisor is gone drains.
 *
 * @param stop called when the supervisor is gone.
 */
export function joinSupervisor(
  { lifecycle, registry, checks, live, writeHeapSnapshot, port }: MemberOptions,
  stop: () => void,
): Member {
  const sums = new PendingAnswers<string>()
  const changes = new PendingAnswers<true>()
  const settled = Promise.withResolvers<void>()

  const snapshot = (): Promise<Snapshot> => snapshotOf(registry)
  const send = (message: FromMember): void => {
    if (process.connected) process.send?.(message)
  }
  const sendSnapshot = async (): Promise<void> => send({ type: 'snapshot', snapshot: await snapshot() })

  const steer = (question: Question & { kind: 'steer-away' | 'steer-evenly' }): string | null => {
    try {
      const steering = openSteering(port)
      if (question.kind === 'steer-away') steering.exclude(question.index, question.size)
      else steering.reset()
      return null
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  const answerTo = (question: Question): Promise<Answers[Question['kind']]> => {
    switch (question.kind) {
      case 'snapshot':
        return snapshot()
      case 'checks':
        return checks.results()
      case 'settings':
        return live.apply(question.settings).then(() => {
          settled.resolve()
          return null
        })
      case 'heap-snapshot':
        return writeHeapSnapshot(question.path).then(() => null, String)
      case 'steer-away':
      case 'steer-evenly':
        return Promise.resolve(steer(question))
    }
  }

  process.on('message', async (message: ToMember) => {
    if (message.type === 'sum') sums.settle(message.id, message.text)
    else if (message.type === 'changed') changes.settle(message.id, true)
    else send({ type: 'answer', id: message.id, answer: await answerTo(message.question) })
  })
  process.on('disconnect', stop)
  const timer = setInterval(() => void sendSnapshot(), snapshotEveryMs)
  timer.unref()
  lifecycle.onClose('metrics', sendSnapshot)
  send({ type: 'listening', port })

  return {
    settled: settled.promise,
    async change(change, by) {
      const changed = await changes.ask(
        (id) => send({ type: 'change-wanted', id, change, by }),
        changeTimeoutMs,
      )
      if (changed === undefined) throw new Error('the supervisor did not answer: the settings may differ')
    },
    async scrape() {
      const own = await snapshot()
      const sum = await sums.ask((id) => send({ type: 'sum-wanted', id, snapshot: own }), sumTimeoutMs)
      return sum ?? registry.metrics()
    },
  }
}
