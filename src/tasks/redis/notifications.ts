/** Notifications to processes. */
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

/** The channels of the server. Their names must not change: processes of two versions share them. */
const channels = {
  added: 'tally:tasks:came',
  delayed: 'tally:tasks:delayed',
  cancelled: 'tally:tasks:cancelled',
  updated: 'tally:tasks:changed',
} as const

type Event = keyof typeof channels

/** The most ids in one message. */
const maxIds = 1_000

/**
 * Notifies all processes. Events during a message go with the next one. After a lost message the others find the change
 * by polling.
 */
export class Notifications {
  readonly #events: QueueEvents
  readonly #publish: (channel: string, message: string) => Promise<unknown>
  readonly #onError: (error: unknown) => void
  /** Marks the messages of this process, which has notified itself already. */
  readonly #origin = crypto.randomUUID().slice(0, 8)
  readonly #pending = new Set<Exclude<Event, 'updated'>>()
  readonly #updatedIds = new Set<string>()
  #sending = false

  /**
   * @param publish publishes a message of a channel
   * @param onError called when that failed
   */
  constructor(
    events: QueueEvents,
    publish: (channel: string, message: string) => Promise<unknown>,
    onError: (error: unknown) => void,
  ) {
    this.#events = events
    this.#publish = publish
    this.#onError = onError
  }

  /** The listener of each channel. */
  get subscriptions(): Readonly<Record<string, (message: string) => void>> {
    return Object.fromEntries(
      Object.entries(channels).map(([event, channel]) => [
        channel,
        (message: string) => this.#receive(event as Event, message),
      ]),
    )
  }

  /** Notifies this process of everything, because messages may have been missed. */
  notifyAll(): void {
    this.#events.added()
    this.#events.delayed()
    this.#events.cancelled()
    this.#events.anyUpdated()
  }

  /** Notifies this process at once, and the others soon. */
  publish(event: Exclude<Event, 'updated'>): void {
    this.#events[event]()
    this.#pending.add(event)
    this.#send()
  }

  publishUpdated(ids: readonly string[]): void {
    this.#events.updated(ids)
    for (const id of ids) this.#updatedIds.add(id)
    this.#send()
  }

  #receive(event: Event, message: string): void {
    const [origin, ids] = message.split(' ')
    if (origin === this.#origin) return
    if (event !== 'updated') this.#events[event]()
    // A former version publishes no ids.
    else if (ids === undefined) this.#events.anyUpdated()
    else this.#events.updated(ids.split(','))
  }

  #send(): void {
    if (this.#sending) return
    this.#sending = true
    setImmediate(() => void this.#sendAll())
  }

  async #sendAll(): Promise<void> {
    while (this.#pending.size + this.#updatedIds.size > 0)
      await Promise.all(
        this.#takeMessages().map(([channel, message]) =>
          this.#publish(channel, message).catch(this.#onError),
        ),
      )
    this.#sending = false
  }

  #takeMessages(): [channel: string, message: string][] {
    const messages = [...this.#pending].map((event): [string, string] => [channels[event], this.#origin])
    const ids = [...this.#updatedIds]
    this.#pending.clear()
    this.#updatedIds.clear()
    for (let n = 0; n < ids.length; n += maxIds)
      messages.push([channels.updated, `${this.#origin} ${ids.slice(n, n + maxIds).join(',')}`])
    return messages
  }
}
