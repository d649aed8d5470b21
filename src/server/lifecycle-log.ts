import type { CheckChange, Lifecycle, LifecycleEvent } from '../lifecycle/index.ts'
import type { Log } from '../telemetry/log/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'

/** Tells the log, and the metrics where there are any, what happens to the process. */
export function logLifecycle(lifecycle: Lifecycle, log: Log, metrics?: Pick<Metrics, 'countUncaughtError'>): void {
  lifecycle.subscribe((event) => {
    tell(event, log)
    if (event.type === 'fault') metrics?.countUncaughtError()
  })
}

/** Tells the log that something this instance depends on cannot be reached, why, and when it can again. */
export function logCheck(log: Log, { check, status, error }: CheckChange): void {
  if (status === 'failing') log.warn('cannot be reached', { check, error })
  else log.info('can be reached again', { check })
}

function tell(event: LifecycleEvent, log: Log): void {
  switch (event.type) {
    case 'state': {
      const { state } = event
      if (state.name === 'draining' && state.phase === 'window') {
        log.info('draining: still serving, answers say Connection: close', { reason: state.reason })
      } else if (state.name === 'stopped') {
        const { outcome } = state
        log.info('stopped', {
          reason: outcome.reason,
          exit_code: outcome.exitCode,
          cut: outcome.cut.length,
          window_end: outcome.windowEnd,
          window_ms: Math.round(outcome.durationsMs.window),
          finishing_ms: Math.round(outcome.durationsMs.finishing),
          closing_ms: Math.round(outcome.durationsMs.closing),
        })
      }
      return
    }
    case 'cut':
      log.error('cut at the deadline', {
        target: event.target,
        count: event.work.length,
        work: event.work.slice(0, 100),
      })
      return
    case 'hook-failed':
      log.error('closing failed', { hook: event.hook, error: event.error })
      return
    case 'signal-repeated':
      log.info('signal repeated: the shutdown goes on', { signal: event.signal })
      return
    case 'fault':
      log.error('fault: draining', { kind: event.kind, error: event.error })
      return
  }
}
