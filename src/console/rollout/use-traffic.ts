import { useCallback, useEffect, useSyncExternalStore } from 'react'
import { Traffic } from './traffic.ts'

/** One for the page: the account goes on while another view is shown, and the stream stops. */
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
