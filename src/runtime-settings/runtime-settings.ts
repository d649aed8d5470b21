import type { Settings } from './settings.ts'

/** The settings that a change sets. The others stay as they are. */
export type SettingsChange = Partial<Settings>

/**
 * Changes the settings. Resolves when the change is applied in every process that it is for.
 *
 * @param by who changes them, for the log: an operator's request, a signal, a file
 */
export type ChangeSettings = (change: SettingsChange, by: string) => Promise<void>

type Listener = (settings: Settings) => void | Promise<void>

/** The settings of a running service. The last change wins. */
export interface RuntimeSettings {
  readonly current: Settings
  readonly change: ChangeSettings
  /** Replaces the settings of this process. Resolves when every listener has applied them. */
  apply(settings: Settings): Promise<void>
  /** Calls `listener` with the settings each time they are applied. */
  subscribe(listener: Listener): void
}

/**
 * Creates the settings of a process.
 *
 * @param change what a change does, where several processes must agree on it. Default: applies it in this process.
 * @example
 * const settings = createRuntimeSettings({ enabled: true, logLevel: 'info', faults: noFaults })
 * settings.subscribe(({ logLevel }) => { log.level = logLevel })
 * await settings.change({ logLevel: 'debug' }, 'SIGUSR2')
 */
export function createRuntimeSettings(initial: Settings, change?: ChangeSettings): RuntimeSettings {
  let current = initial
  const listeners: Listener[] = []
  const apply = async (settings: Settings): Promise<void> => {
    current = settings
    await Promise.all(listeners.map((listener) => listener(settings)))
  }
  return {
    get current() {
      return current
    },
    change: change ?? ((changed) => apply({ ...current, ...changed })),
    apply,
    subscribe: (listener) => void listeners.push(listener),
  }
}
