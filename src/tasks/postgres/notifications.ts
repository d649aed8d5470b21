import type { PostgresPool } from '../../database/postgres/pool.ts'
import type { QueueOptions } from '../queue-options.ts'
import { channel, execute } from './statements.ts'

/** Notifications to other processes. */
export interface QueueEvents {
  /** A task can be claimed. */
  added(): void
  /** A delayed task was added. */
  delayed(): void
  /** A running task may have been cancelled. */
  cancelled(): void
  /** These tasks were updated. */
  updated(ids: readonly string[]): void
  /** Any task may have been updated. */
  anyUpdated(): void
}

/** The most ids in one message, whose length PostgreSQL limits to 8,000 bytes. */
const maxIds = 150

/**
 * Notifies the other processes by NOTIFY. Events during a statement go with the next one. It is a separate statement
 * after the commit, because transactions that notify commit one after the other. After a lost notification the others
 * find the change by polling.
 */
export class Notifications {
  readonly #pool: PostgresPool
  readonly #events: QueueEvents
  readonly #onError: QueueOptions['onError']
  /** Marks the messages of this process, which has notified itself already. */
  readonly #origin = crypto.randomUUID().slice(0, 8)
  readonly #names = new Set<'added' | 'delayed' | 'cancelled'>()
  readonly #updatedIds = new Set<string>()
  #sending = false
  #isListening = false

  constructor(pool: PostgresPool, events: QueueEvents, onError: QueueOptions['onError']) {
    this.#pool = pool
    this.#events = events
    this.#onError = onError
  }

  /** Starts to listen. Notifies of everything when it begins to, because earlier messages were missed. */
  listen(): void {
    if (this.#isListening) return
    this.#isListening = true
    this.#pool.listen({
      channel,
      onNotification: (message) => this.#receive(message),
      onListening: () => this.#notifyAll(),
      onError: (error) => this.#onError(error, 'listen'),
    })
  }

  /** Notifies this process at once, and the others soon. */
  publish(name: 'added' | 'delayed' | 'cancelled'): void {
    this.#events[name]()
    this.#names.add(name)
    this.#send()
  }

  publishUpdated(ids: readonly string[]): void {
    this.#events.updated(ids)
    for (const id of ids) this.#updatedIds.add(id)
    this.#send()
  }

  #notifyAll(): void {
    this.#events.added()
    this.#events.delayed()
    this.#events.cancelled()
    this.#events.anyUpdated()
  }

  #receive(message: string): void {
    const [origin, name, ids = ''] = message.split(' ')
    if (origin === this.#origin) return
    if (name === 'updated') this.#events.updated(ids.split(','))
    else if (name === 'added' || name === 'delayed' || name === 'cancelled') this.#events[name]()
  }

  #send(): void {
    if (this.#sending) return
    this.#sending = true
    setImmediate(() => void this.#sendAll())
  }

  async #sendAll(): Promise<void> {
    while (this.#names.size + this.#updatedIds.size > 0) {
      const messages = this.#takeMessages()
      await this.#pool
        .run(async (sql) => await execute(sql, 'notify', { messages: sql.array(messages, 'TEXT') }), false)
        .catch((error) => this.#onError(error, 'notify'))
    }
    this.#sending = false
  }

  #takeMessages(): string[] {
    const messages = [...this.#names].map((name) => `${this.#origin} ${name}`)
    const ids = [...this.#updatedIds]
    this.#names.clear()
    this.#updatedIds.clear()
    for (let n = 0; n < ids.length; n += maxIds)
      messages.push(`${this.#origin} updated ${ids.slice(n, n + maxIds).join(',')}`)
    return messages
  }
}
