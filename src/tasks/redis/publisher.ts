import type { Notifier } from '../notifier.ts'

/** The channels of the server. Their names must not change: processes of two versions share them. */
const channels = {
  /** A task can be claimed. */
  added: 'tally:tasks:came',
  /** A task has changed. */
  updated: 'tally:tasks:changed',
  /** A task was cancelled. */
  cancelled: 'tally:tasks:cancelled',
} as const

export type TaskEvent = keyof typeof channels

/** The shortest time between two messages about the same event, in ms. */
const intervalMs = 5

/**
 * Publishes events of this process to all processes, and notifies of theirs. Events in quick succession are one message:
 * it says that there is something to look for, and a process that misses one polls soon.
 */
export class Publisher {
  readonly #notifiers: Readonly<Record<TaskEvent, Notifier>>
  readonly #send: (channel: string, message: string) => Promise<unknown>
  /** This process's own messages are not for itself. */
  readonly #sender = crypto.randomUUID()
  /** The events whose message was sent a moment ago, and whether there were more since. */
  readonly #recent = new Map<TaskEvent, boolean>()

  constructor(
    notifiers: Readonly<Record<TaskEvent, Notifier>>,
    send: (channel: string, message: string) => Promise<unknown>,
  ) {
    this.#notifiers = notifiers
    this.#send = send
  }

  /** The listener of each channel. */
  get subscriptions(): Record<string, (message: string) => void> {
    const events = Object.keys(channels) as TaskEvent[]
    return Object.fromEntries(
      events.map((event) => [
        channels[event],
        (sender: string) => {
          if (sender !== this.#sender) this.#notifiers[event].notify()
        },
      ]),
    )
  }

  /** Notifies this process at once and the others at most a few milliseconds later. */
  publish(...events: TaskEvent[]): void {
    for (const event of events) {
      this.#notifiers[event].notify()
      if (this.#recent.has(event)) this.#recent.set(event, true)
      else this.#message(event)
    }
  }

  #message(event: TaskEvent): void {
    void this.#send(channels[event], this.#sender).catch(() => {})
    this.#recent.set(event, false)
    setTimeout(() => {
      const more = this.#recent.get(event)
      this.#recent.delete(event)
      if (more) this.#message(event)
    }, intervalMs)
  }
}
