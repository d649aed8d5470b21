import { useCallback, useEffect, useSyncExternalStore } from 'react'
import { Traffic } from './traffic.ts'

/** One per page: the account survives a change of view, which stops the stream. */
const traffic = new Traffic()
const subscribe = traffic.subscribe.bind(traffic)

/** The stream of requests and its account. */
export function useTraffic(isRunning: boolean, ratePerSecond: number) {
  useEffect(() => {
    if (!isRunning) return
    traffic.start(ratePerSecond)
    return () => traffic.stop()
  }, [isRunning, ratePerSecond])
  const ledger = useSyncExternalStore(subscribe, () => traffic.ledger)
  return { ledger, reset: useCallback(() => traffic.reset(), []) }
}
