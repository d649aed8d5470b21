import type { NumbersWithRange } from '../numeric/numeric.ts'
import wasmPath from './number-scanner.wasm' with { type: 'file' }

/** Bytes that are looked at from one copy of them: with the doubles they make they fit into a second-level cache. */
const windowBytes = 64 * 1024

/** A number is begun only when so many bytes follow: with what it may be long and is looked at together. */
const marginBytes = 128

/** Where the module's own tables end. */
const windowStart = 4096
/** Behind the last byte of a text follows a margin of zeros. */
const doublesStart = windowStart + windowBytes + 2 * marginBytes

/** A number takes two bytes at least: a digit and a comma. */
const doublesMax = (windowBytes + marginBytes) / 2

/** How a call of the scanner ended. */
const endOfWindow = 0
const endOfList = 1
const notPlain = 2

const comma = 0x2c
const closingBracket = 0x5d

/** A number as JSON has it. */
const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** Numbers that may be parsed one by one, and as a part of all: it takes some 10 times as long as scanning. */
const parsedMin = 64
const parsedPart = 1 / 16

interface Scanner {
  readonly memory: WebAssembly.Memory
  readonly at: WebAssembly.Global
  readonly written: WebAssembly.Global
  readonly minimum: WebAssembly.Global
  readonly maximum: WebAssembly.Global
  scan(start: number, end: number, out: number): number
}

interface Loaded {
  readonly scanner: Scanner
  /** Its memory, seen as bytes and as doubles. */
  readonly bytes: Uint8Array
  readonly doubles: Float64Array
}

/**
 * Read at the start, so that a program without the file does not start, and one whose files are replaced keeps
 * working. Mapped and copied, because loading node:fs would delay every start.
 */
const wasm = Bun.mmap(wasmPath).slice()

/** Compiled when it is first needed; null where it cannot be. */
let loaded: Loaded | null | undefined

/** Where the processor lacks the vectors that it works with, WebAssembly refuses the module. */
function loadIfPossible(): Loaded | null {
  try {
    return load()
  } catch {
    return null
  }
}

function load(): Loaded {
  const module = new WebAssembly.Module(wasm)
  const scanner = new WebAssembly.Instance(module).exports as unknown as Scanner
  const size = doublesStart + doublesMax * Float64Array.BYTES_PER_ELEMENT
  const pageBytes = 64 * 1024
  scanner.memory.grow(Math.ceil((size - scanner.memory.buffer.byteLength) / pageBytes))
  const { buffer } = scanner.memory
  return { scanner, bytes: new Uint8Array(buffer), doubles: new Float64Array(buffer, doublesStart) }
}

/** The doubles of the last list: used again, because new memory costs as much as filling it, 2 ms for a million. */
let kept = new Float64Array(4096)

/** The numbers of a list, the caller's until the next one is read, and where it ended. */
export interface ScannedNumbers extends NumbersWithRange {
  /** The index behind the closing bracket. */
  readonly end: number
}

/**
 * Reads a list of JSON numbers from the bytes of a text, each as the nearest double: what JSON.parse makes of them, but
 * without a string of the text and without an array. For a million doubles with all their digits, 18 MB: 20 ms where
 * JSON.parse takes 39.
 *
 * @param start behind the opening bracket
 * @param countMax numbers that are taken at the most
 * @returns undefined for anything else than so many finite numbers, at least one: JSON.parse can tell what is wrong.
 *   The same for a list that JSON.parse reads faster, since too many of its numbers have to be parsed one by one, and
 *   on a machine that cannot run the scanner.
 */
export function scanNumbers(bytes: Uint8Array, start: number, countMax: number): ScannedNumbers | undefined {
  if (loaded === undefined) loaded = loadIfPossible()
  if (loaded === null) return undefined
  const { scanner, bytes: memory, doubles } = loaded
  let count = 0
  let parsed = 0
  let minimum = Number.POSITIVE_INFINITY
  let maximum = Number.NEGATIVE_INFINITY
  let from = start
  let base = from
  let end = fillWindow(memory, bytes, base)
  for (;;) {
    const outcome = scanner.scan(windowStart + from - base, windowStart + end - base, doublesStart)
    const taken = (scanner.written.value - doublesStart) / Float64Array.BYTES_PER_ELEMENT
    from = base + scanner.at.value - windowStart
    if (count + taken > countMax) return undefined
    makeRoom(count, taken, (bytes.length - start) / (from - start))
    kept.set(doubles.subarray(0, taken), count)
    count += taken
    minimum = Math.min(minimum, scanner.minimum.value)
    maximum = Math.max(maximum, scanner.maximum.value)
    if (outcome === endOfList) return { values: kept.subarray(0, count), minimum, maximum, end: from }
    if (outcome === notPlain) {
      if (count === countMax || ++parsed > parsedMin + count * parsedPart) return undefined
      const behind = endOfNumber(bytes, from)
      const value = parseNumber(bytes, from, behind)
      if (value === undefined) return undefined
      makeRoom(count, 1, 2)
      kept[count++] = value
      minimum = Math.min(minimum, value)
      maximum = Math.max(maximum, value)
      const delimiter = skipSpace(bytes, behind)
      from = delimiter + 1
      if (bytes[delimiter] === closingBracket)
        return { values: kept.subarray(0, count), minimum, maximum, end: from }
      if (bytes[delimiter] !== comma) return undefined
      if (from < end) continue
    } else if (outcome !== endOfWindow) return undefined
    if (end === bytes.length) return undefined
    base = from
    end = fillWindow(memory, bytes, base)
  }
}

/**
 * Copies a part of a text to where the scanner looks for it.
 *
 * @returns the index from which on the next part is needed; at the end of the text there is none
 */
function fillWindow(memory: Uint8Array, bytes: Uint8Array, base: number): number {
  const part = bytes.subarray(base, base + windowBytes + marginBytes)
  memory.set(part, windowStart)
  if (base + part.length < bytes.length) return base + windowBytes
  memory.fill(0, windowStart + part.length, windowStart + part.length + marginBytes)
  return bytes.length
}

/**
 * Makes room for `more` numbers behind the first `count`.
 *
 * @param timesAll how many times as many there may be at the end: one step is then enough
 */
function makeRoom(count: number, more: number, timesAll: number): void {
  if (count + more <= kept.length) return
  const larger = new Float64Array(Math.ceil((count + more) * Math.max(timesAll * 1.05, 1.5)))
  larger.set(kept.subarray(0, count))
  kept = larger
}

/** The finite number that the bytes are; undefined when they are none. */
function parseNumber(bytes: Uint8Array, start: number, end: number): number | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
  const value = jsonNumber.test(text) ? Number(text) : Number.NaN
  return Number.isFinite(value) ? value : undefined
}

function endOfNumber(bytes: Uint8Array, start: number): number {
  let i = start
  while (isOfNumber(bytes[i])) i++
  return i
}

/** Whether a byte can be part of a number: a digit, a sign, a point or the letter of an exponent. */
function isOfNumber(byte: number | undefined): boolean {
  if (byte === undefined) return false
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e ||
    (byte | 0x20) === 0x65
  )
}

/** The index of the first byte from `start` on that is no white space. */
export function skipSpace(bytes: Uint8Array, start: number): number {
  let i = start
  while (bytes[i] === 0x20 || bytes[i] === 0x0a || bytes[i] === 0x0d || bytes[i] === 0x09) i++
  return i
}
