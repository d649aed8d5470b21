import type { Clock } from './clock.ts'
import { withTimeout } from './timeout.ts'

/** Budget of all hooks together, in ms: the last part of a shutdown's budget. */
export const closeTimeoutMs = 5_000

export interface HookOptions {
  /** Timeout of this hook, in ms, limited by the rest of the budget. Default 2,000. */
  readonly timeoutMs?: number
  /** Runs after all hooks without this option, in the order of registration. Default false. */
  readonly last?: boolean
}

interface Hook {
  readonly name: string
  readonly close: () => void | Promise<void>
  readonly timeoutMs: number
}

/** The cleanup of a process. Hooks run one after the other, in reverse order of registration, within one budget. */
export class CloseHooks {
  readonly #hooks: Hook[] = []

  add(
    name: string,
    close: () => void | Promise<void>,
    { timeoutMs = 2_000, last = false }: HookOptions = {},
  ): void {
    const hook = { name, close, timeoutMs }
    if (last) this.#hooks.unshift(hook)
    else this.#hooks.push(hook)
  }

  /**
   * Runs all hooks, including those that are registered meanwhile. Each runs once, even if the budget is spent.
   *
   * @param closeBy end of the budget, as `Clock.now()`
   * @param onFailure called for every hook that throws, rejects or times out; the other hooks still run
   */
  async run(
    closeBy: number,
    clock: Clock,
    onFailure: (hookName: string, cause: unknown) => void,
  ): Promise<void> {
    for (let hook = this.#hooks.pop(); hook !== undefined; hook = this.#hooks.pop()) {
      const { name, close } = hook
      const timeoutMs = Math.min(hook.timeoutMs, Math.max(0, closeBy - clock.now()))
      const failOnTimeout = (): never => {
        throw new Error(`${name} did not close within ${Math.round(timeoutMs)} ms`)
      }
      try {
        await withTimeout(Promise.try(close), timeoutMs, failOnTimeout, clock)
      } catch (cause) {
        onFailure(name, cause)
      }
    }
  }
}
