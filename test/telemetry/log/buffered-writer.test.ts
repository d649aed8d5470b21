import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createLineSink, type LineTarget } from '../../../src/telemetry/log/buffered-writer.ts'

setDefaultTimeout(30_000)

/** A target that hands nothing on until it is told to, like a pipe whose reader stalls. */
function stalling(): LineTarget & { readonly chunks: string[]; goOn(): void } {
  const chunks: string[] = []
  const gate = Promise.withResolvers<void>()
  return { chunks, write: (chunk) => chunks.push(chunk), flush: () => gate.promise, goOn: gate.resolve }
}

/** A target that takes everything at once. */
function willing(): LineTarget & { readonly chunks: string[] } {
  const chunks: string[] = []
  return { chunks, write: (chunk) => chunks.push(chunk), flush: () => undefined }
}

describe('batches', () => {
  test('lines of one moment are one write, in their order', async () => {
    const target = willing()
    const sink = createLineSink(target)
    for (let i = 0; i < 100; i++) sink.write(`${i}\n`)
    expect(target.chunks).toEqual([])
    await sink.flush()
    expect(target.chunks).toEqual([Array.from({ length: 100 }, (_, i) => `${i}\n`).join('')])
  })

  test('a full batch is handed on at once', () => {
    const target = willing()
    const sink = createLineSink(target, { batchMax: 10, batchMs: 60_000 })
    sink.write('1234\n')
    expect(target.chunks).toEqual([])
    sink.write('5678\n')
    expect(target.chunks).toEqual(['1234\n5678\n'])
  })

  test('a lonely line does not wait longer than its batch', async () => {
    const written = Promise.withResolvers<string>()
    const sink = createLineSink({ write: written.resolve, flush: () => undefined }, { batchMs: 1 })
    sink.write('lonely\n')
    expect(await written.promise).toBe('lonely\n')
  })

  test('what comes while a batch is on its way goes in the next one, in order', async () => {
    const target = stalling()
    const sink = createLineSink(target, { batchMax: 1 })
    sink.write('a\n')
    sink.write('b\n')
    sink.write('c\n')
    expect(target.chunks).toEqual(['a\n'])
    target.goOn()
    await sink.flush()
    expect(target.chunks).toEqual(['a\n', 'b\nc\n'])
  })
})

describe('flush', () => {
  test('waits until everything taken so far is handed over', async () => {
    const target = stalling()
    const sink = createLineSink(target)
    sink.write('a\n')
    let flushed = false
    const flushing = sink.flush().then(() => {
      flushed = true
    })
    sink.write('b\n')
    await Bun.sleep(0)
    expect(flushed).toBe(false)
    target.goOn()
    await flushing
    expect(target.chunks.join('')).toBe('a\nb\n')
  })

  test('resolves at once when nothing waits, again and again', async () => {
    const sink = createLineSink(willing())
    await sink.flush()
    sink.write('a\n')
    await Promise.all([sink.flush(), sink.flush()])
    await sink.flush()
    expect(sink.dropped).toBe(0)
  })
})

describe('a reader that stalls', () => {
  test('costs a bounded amount: lines beyond are dropped and counted, those before are kept', async () => {
    const target = stalling()
    const sink = createLineSink(target, { pendingMax: 10, batchMax: 1 })
    sink.write('on it\n')
    for (let i = 0; i < 100; i++) sink.write(`${i % 10}\n`)
    expect(sink.dropped).toBe(95)
    target.goOn()
    await sink.flush()
    expect(target.chunks).toEqual(['on it\n', '0\n1\n2\n3\n4\n'])
  })

  test('is given lines again once it reads on', async () => {
    const target = stalling()
    const sink = createLineSink(target, { pendingMax: 4, batchMax: 1 })
    for (const line of ['a\n', 'b\n', 'c\n', 'd\n']) sink.write(line)
    expect(sink.dropped).toBe(1)
    target.goOn()
    await sink.flush()
    sink.write('e\n')
    await sink.flush()
    expect(target.chunks.join('')).toBe('a\nb\nc\ne\n')
  })
})

describe('a reader that is gone', () => {
  const broken = Object.assign(new Error('EPIPE'), { code: 'EPIPE' })
  for (const [name, target] of [
    [
      'a write that throws',
      {
        write: () => {
          throw broken
        },
        flush: () => undefined,
      },
    ],
    [
      'a flush that throws',
      {
        write: () => undefined,
        flush: () => {
          throw broken
        },
      },
    ],
    ['a flush that rejects', { write: () => undefined, flush: () => Promise.reject(broken) }],
  ] as const) {
    test(`${name} harms nobody, and its lines are counted`, async () => {
      const sink = createLineSink(target, { batchMax: 1 })
      sink.write('a\n')
      sink.write('b\n')
      await sink.flush()
      sink.write('c\n')
      await sink.flush()
      expect(sink.dropped).toBe(3)
    })
  }
})

describe('a real process', () => {
  const writer = (after: string): string => `
    import { createLineSink } from ${JSON.stringify(new URL('../../../src/telemetry/log/buffered-writer.ts', import.meta.url).href)}
    const sink = createLineSink(Bun.stdout.writer())
    for (let i = 0; i < 20_000; i++) sink.write(JSON.stringify({ line: i, text: 'x'.repeat(80) }) + '\\n')
    console.error('written')
    ${after}`

  test('that writes 20,000 lines into a pipe nobody reads yet, and exits by way of flush, loses none', async () => {
    const child = Bun.spawn(
      [process.execPath, '-e', writer('await sink.flush(); process.exit(sink.dropped)')],
      {
        stdout: 'pipe',
        stderr: 'pipe',
      },
    )
    // All is written, and a pipe holds 64 KiB of the 2 MB: only now somebody begins to read.
    const errors = child.stderr.getReader()
    expect(new TextDecoder().decode((await errors.read()).value)).toContain('written')
    const lines = (await child.stdout.text()).trimEnd().split('\n')
    expect(await child.exited).toBe(0)
    expect(lines.length).toBe(20_000)
    expect(lines.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual(
      Array.from({ length: 20_000 }, (_, i) => i),
    )
  })

  test('whose reader goes away lives on, and counts what it can no longer write', async () => {
    // A batch that is on its way when the reader goes may be lost uncounted: the runtime does not always tell.
    const after = `
      await sink.flush()
      while (sink.dropped === 0) { sink.write('more\\n'); await sink.flush() }
      console.error('dropped', sink.dropped)`
    const child = Bun.spawn(['sh', '-c', '"$0" -e "$1" | true', process.execPath, writer(after)], {
      stderr: 'pipe',
    })
    expect(await child.stderr.text()).toMatch(/^written\ndropped [1-9]\d*\n$/)
  })
})
