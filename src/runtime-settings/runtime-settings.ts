import type { LiveSettings } from './settings.ts'

export type Change = Partial<LiveSettings>

/** What is done about a change that is wanted; `by` names who wants it, for the log. */
export type Decide = (change: Change, by: string) => Promise<void>

type Listener = (settings: LiveSettings) => void | Promise<void>

/** The settings of a running service. Whoever changes one last decides it. */
export interface Live {
  readonly settings: LiveSettings
  /** Resolves when the change holds, in every process that it is for. */
  readonly change: Decide
  /** Takes over settings as they were decided. Resolves when every listener has. */
  adopt(settings: LiveSettings): Promise<void>
  /** Told the settings each time they were adopted. */
  subscribe(listener: Listener): void
}

/** @param decide default: adopts what is wanted. Given where several processes must agree. */
export function createLive(initial: LiveSettings, decide?: Decide): Live {
  let settings = initial
  const listeners: Listener[] = []
  const adopt = async (next: LiveSettings): Promise<void> => {
    settings = next
    await Promise.all(listeners.map((listener) => listener(next)))
  }
  return {
    get settings() {
      return settings
    },
    change: decide ?? ((change) => adopt({ ...settings, ...change })),
    adopt,
    subscribe: (listener) => void listeners.push(listener),
  }
}
