import type { CheckChange, Lifecycle, LifecycleEvent } from '../lifecycle/index.ts'
import type { Log } from '../telemetry/log/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'

/** Logs the events of the process, and counts its uncaught errors. */
export function logLifecycle(lifecycle: Lifecycle, log: Log, metrics?: Pick<Metrics, 'countFault'>): void {
  lifecycle.subscribe((event) => {
    logEvent(event, log)
    if (event.type === 'uncaught-error') metrics?.countFault()
  })
}

/** Logs that a dependency check fails, and why, or that it has recovered. */
export function logCheck(log: Log, { check, status, error }: CheckChange): void {
  if (status === 'failing') log.warn('dependency check failed', { check, error })
  else log.info('dependency check recovered', { check })
}

function logEvent(event: LifecycleEvent, log: Log): void {
  switch (event.type) {
    case 'state': {
      const { state } = event
      if (state.name === 'draining' && state.phase === 'window') {
        log.info('draining: still serving, answers say Connection: close', { reason: state.reason })
      } else if (state.name === 'stopped') {
        const { result } = state
        log.info('stopped', {
          reason: result.reason,
          exit_code: result.exitCode,
          cut: result.aborted.length,
          window_end: result.windowEnd,
          window_ms: Math.round(result.durationsMs.window),
          finishing_ms: Math.round(result.durationsMs.finishing),
          closing_ms: Math.round(result.durationsMs.closing),
        })
      }
      return
    }
    case 'aborted':
      log.error('requests aborted at shutdown deadline', {
        target: event.target,
        count: event.work.length,
        work: event.work.slice(0, 100),
      })
      return
    case 'hook-failed':
      log.error('shutdown hook failed', { hook: event.hook, error: event.error })
      return
    case 'signal-repeated':
      log.info('shutdown already in progress', { signal: event.signal })
      return
    case 'uncaught-error':
      log.error('uncaught exception, shutting down', { kind: event.kind, error: event.error })
      return
  }
}
