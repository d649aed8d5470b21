import type { CheckChange, Lifecycle, LifecycleEvent } from '../lifecycle/index.ts'
import type { Log } from '../telemetry/log/log.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'

/** Logs the lifecycle of the process and counts its uncaught errors. */
export function logLifecycle(
  lifecycle: Lifecycle,
  log: Log,
  metrics?: Pick<Metrics, 'countUncaughtError'>,
): void {
  lifecycle.subscribe((event) => {
    logEvent(event, log)
    if (event.type === 'uncaught-error') metrics?.countUncaughtError()
  })
}

/** Logs that a dependency check began to fail, and why, or recovered. */
export function logCheckChange(log: Log, { check, status, error }: CheckChange): void {
  if (status === 'failing') log.warn('dependency check failed', { check, error })
  else log.info('dependency check recovered', { check })
}

function logEvent(event: LifecycleEvent, log: Log): void {
  switch (event.type) {
    case 'state':
      logState(event.state, log)
      return
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

function logState(state: Extract<LifecycleEvent, { type: 'state' }>['state'], log: Log): void {
  if (state.name === 'draining' && state.phase === 'window') {
    log.info('draining', { reason: state.reason })
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
}
