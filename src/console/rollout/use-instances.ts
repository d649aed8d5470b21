import { useEffect, useRef, useState } from 'react'
import { readInstance } from '../api/use-instance.ts'
import { addReading, type Instances } from './instances.ts'

/** How often to poll each instance, in ms. */
const intervalMs = 1_000
/** A balancer chooses the instance, so one poll more than there are instances also finds new ones. */
const spareQuestions = 1
const maxQuestions = 12

/**
 * Polls the instances behind this address while the view is shown.
 *
 * @returns the known instances, and the time of the last poll in ms
 */
export function useInstances(): { readonly instances: Instances; readonly now: number } {
  const [state, setState] = useState({ instances: new Map() as Instances, now: Date.now() })
  const count = useRef(0)
  count.current = [...state.instances.values()].filter(
    ({ latest }) => state.now - latest.at < 2 * intervalMs,
  ).length

  useEffect(() => {
    const controller = new AbortController()
    const { signal } = controller
    const run = async (): Promise<void> => {
      while (!signal.aborted) {
        await askOnce(signal, (update) => setState(update))
        const questions = Math.min(count.current + spareQuestions, maxQuestions)
        await new Promise((resolve) => setTimeout(resolve, intervalMs / questions))
      }
    }
    void run()
    return () => controller.abort()
  }, [])
  return state
}

type Update = (before: { instances: Instances; now: number }) => { instances: Instances; now: number }

/** Polls any instance. Without an answer, only the time advances. */
async function askOnce(signal: AbortSignal, update: (change: Update) => void): Promise<void> {
  try {
    const instance = await readInstance(signal)
    const now = Date.now()
    update(({ instances }) => ({ instances: addReading(instances, instance, now), now }))
  } catch {
    if (!signal.aborted) update(({ instances }) => ({ instances, now: Date.now() }))
  }
}
