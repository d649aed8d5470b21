import { describe, expect, test } from 'bun:test'
import { EventEmitter } from 'node:events'
import { createLifecycle, handleSignals, type LifecycleEvent } from '../../src/lifecycle/index.ts'
import { parseIgnoredSignals } from '../../src/lifecycle/inherited-signals.ts'
import { createFakeClock } from '../support/fake-clock.ts'

/** A process that records its exit code, with a lifecycle that takes 1 s to finish. */
function fakeProcess(beforeExit?: () => void | Promise<void>, ignored?: ReadonlySet<string>) {
  const clock = createFakeClock()
  const lifecycle = createLifecycle({}, clock)
  const events: LifecycleEvent[] = []
  lifecycle.subscribe((event) => events.push(event))
  lifecycle.addTarget({
    name: 'server',
    beginDrain: () => {},
    finish: () => clock.sleep(1_000),
    abort: () => [],
  })
  const exits: number[] = []
  const source = Object.assign(new EventEmitter(), { exit: (code: number) => void exits.push(code) })
  handleSignals(lifecycle, {
    process: source,
    clock,
    ...(beforeExit === undefined ? {} : { beforeExit }),
    ...(ignored === undefined ? {} : { ignored: Promise.resolve(ignored) }),
  })
  const reported = () => events.filter(({ type }) => type !== 'state')
  return { clock, lifecycle, source, exits, reported }
}

describe.each(['SIGTERM', 'SIGINT'])('%s', (signal) => {
  test('drains, then exits 0', async () => {
    const { clock, lifecycle, source, exits } = fakeProcess()
    source.emit(signal)
    expect(lifecycle.state).toMatchObject({ name: 'draining', reason: signal })
    await clock.advance(999)
    expect(exits).toEqual([])
    await clock.advance(1)
    expect(exits).toEqual([0])
  })
})

test('a second SIGTERM is reported and changes nothing', async () => {
  const { clock, source, exits, reported } = fakeProcess()
  source.emit('SIGTERM')
  await clock.advance(500)
  source.emit('SIGTERM')
  source.emit('SIGTERM')
  expect(reported()).toEqual([
    { type: 'signal-repeated', signal: 'SIGTERM' },
    { type: 'signal-repeated', signal: 'SIGTERM' },
  ])
  await clock.advance(500)
  expect(exits).toEqual([0])
})

test('a second SIGINT exits at once with 130', async () => {
  const { clock, source, exits } = fakeProcess()
  source.emit('SIGINT')
  await clock.advance(500)
  source.emit('SIGINT')
  expect(exits).toEqual([130])
})

test('treats a Ctrl-C that arrives twice, as under `bun run`, as one', async () => {
  const { clock, source, exits } = fakeProcess()
  source.emit('SIGINT')
  await clock.advance(5)
  source.emit('SIGINT')
  expect(exits).toEqual([])
  await clock.advance(1_000)
  expect(exits).toEqual([0])
})

test('a SIGINT after a SIGTERM is reported; the next one exits at once', async () => {
  const { clock, source, exits, reported } = fakeProcess()
  source.emit('SIGTERM')
  await clock.advance(200)
  source.emit('SIGINT')
  expect(reported()).toEqual([{ type: 'signal-repeated', signal: 'SIGINT' }])
  expect(exits).toEqual([])
  await clock.advance(200)
  source.emit('SIGINT')
  expect(exits).toEqual([130])
})

test('keeps a SIGINT inherited as ignored ignored, but not SIGTERM', async () => {
  const { clock, source, exits } = fakeProcess(undefined, new Set(['SIGINT', 'SIGTERM']))
  await clock.advance(0)
  expect(source.listenerCount('SIGINT')).toBe(0)
  source.emit('SIGTERM')
  await clock.advance(1_000)
  expect(exits).toEqual([0])
})

test('handles a SIGINT after confirming that it was not inherited as ignored', async () => {
  const { clock, source, exits } = fakeProcess(undefined, new Set(['SIGHUP']))
  await clock.advance(0)
  source.emit('SIGINT')
  await clock.advance(1_000)
  expect(exits).toEqual([0])
})

test.each([
  ['SigIgn:\t0000000000001000\n', []],
  [
    'Name:\tbun\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000003\n',
    ['SIGHUP'],
  ],
  ['SigIgn:\t0000000000000006\n', ['SIGINT']],
  ['SigIgn:\tffffffffffffffff\n', ['SIGHUP', 'SIGINT']],
  ['', []],
])('reads the ignored signals of %p', (status, signals) => {
  expect([...parseIgnoredSignals(status)]).toEqual(signals)
})

describe.each(['uncaughtException', 'unhandledRejection'])('%s', (kind) => {
  test('reports the error, drains and exits 1', async () => {
    const { clock, lifecycle, source, exits, reported } = fakeProcess()
    const error = new Error('a bug')
    source.emit(kind, error)
    expect(lifecycle.state).toMatchObject({ name: 'draining', reason: kind })
    expect(reported()).toEqual([{ type: 'uncaught-error', kind, error }])
    await clock.advance(1_000)
    expect(exits).toEqual([1])
  })

  test('during a shutdown reports the error and exits 1, once', async () => {
    const { clock, source, exits, reported } = fakeProcess()
    source.emit('SIGTERM')
    await clock.advance(500)
    source.emit(kind, new Error('a bug'))
    source.emit(kind, new Error('another'))
    expect(reported()).toHaveLength(2)
    await clock.advance(500)
    expect(exits).toEqual([1])
  })
})

test('a signal ends the process after a shutdown that began without one', async () => {
  const { clock, lifecycle, source, exits } = fakeProcess()
  void lifecycle.shutdown('asked over HTTP')
  source.emit('SIGTERM')
  await clock.advance(1_000)
  expect(exits).toEqual([0])
})

describe('beforeExit', () => {
  test('is awaited, so that no log line is lost', async () => {
    const flushing = Promise.withResolvers<void>()
    const { clock, source, exits } = fakeProcess(() => flushing.promise)
    source.emit('SIGTERM')
    await clock.advance(1_000)
    expect(exits).toEqual([])
    flushing.resolve()
    await clock.advance(0)
    expect(exits).toEqual([0])
  })

  test('that hangs delays the exit by at most 2 s', async () => {
    const { clock, source, exits } = fakeProcess(() => new Promise(() => {}))
    source.emit('SIGTERM')
    await clock.advance(1_000 + 1_999)
    expect(exits).toEqual([])
    await clock.advance(1)
    expect(exits).toEqual([0])
  })

  test('that fails does not keep the process alive', async () => {
    const { clock, source, exits } = fakeProcess(() => {
      throw new Error('EPIPE')
    })
    source.emit('SIGTERM')
    await clock.advance(1_000)
    expect(exits).toEqual([0])
  })

  test('with an uncaught error sets exit code 1', async () => {
    const { clock, source, exits } = fakeProcess(() => {
      source.emit('uncaughtException', new Error('a bug'))
    })
    source.emit('SIGTERM')
    await clock.advance(1_000)
    expect(exits).toEqual([1])
  })
})
