import type { NumbersWithRange } from '../numeric/numeric.ts'
import { assetPath } from './asset-path.ts'
import wasmPath from './number-scanner.wasm' with { type: 'file' }

/** Bytes copied for one call of the scanner: with the resulting doubles they fit into a second-level cache. */
const windowBytes = 64 * 1024

/** Bytes after a window, so that the scanner can read a number that begins at its end. */
const marginBytes = 128

/** The end of the module's own tables. */
const windowStart = 4096
/** After the window and its margin, plus a margin of zeros after the last byte of a text. */
const doublesStart = windowStart + windowBytes + 2 * marginBytes

/** A number takes at least two bytes: a digit and a comma. */
const maxDoubles = (windowBytes + marginBytes) / 2

/** The results of the scanner, as number-scanner.as defines them. */
const endOfWindow = 0
const endOfList = 1
const notPlain = 2

const comma = 0x2c
const closingBracket = 0x5d

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** Limit of numbers to parse one by one: this many, plus this share of all. Parsing is far slower than scanning. */
const maxParsedBase = 64
const maxParsedShare = 1 / 16

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
  /** Two views of its memory. */
  readonly bytes: Uint8Array
  readonly doubles: Float64Array
}

// Fail at the start if the scanner is missing, not at the first large payload.
if (Bun.file(assetPath(wasmPath)).size === 0) throw new Error(`${assetPath(wasmPath)} is missing`)

/** Compiled on first use; null if that failed. */
let loaded: Loaded | null | undefined

/** @returns null if WebAssembly rejects the module, because the processor lacks vector instructions */
function tryLoad(): Loaded | null {
  // A top-level import of node:fs would delay every start.
  const wasm = process.getBuiltinModule('node:fs').readFileSync(assetPath(wasmPath))
  try {
    return load(wasm)
  } catch {
    return null
  }
}

function load(wasm: Buffer<ArrayBuffer>): Loaded {
  const module = new WebAssembly.Module(wasm)
  const scanner = new WebAssembly.Instance(module).exports as unknown as Scanner
  const size = doublesStart + maxDoubles * Float64Array.BYTES_PER_ELEMENT
  const pageBytes = 64 * 1024
  scanner.memory.grow(Math.ceil((size - scanner.memory.buffer.byteLength) / pageBytes))
  const { buffer } = scanner.memory
  return { scanner, bytes: new Uint8Array(buffer), doubles: new Float64Array(buffer, doublesStart) }
}

/** The numbers of the last list. The memory is reused, because allocating it costs as much as filling it. */
let values = new Float64Array(4096)

/** The numbers of a list, valid until the next list is scanned, and the end of the list. */
export interface ScannedNumbers extends NumbersWithRange {
  /** The index after the closing bracket. */
  readonly end: number
}

/**
 * Scans a list of JSON numbers in the bytes of a text. The numbers are the doubles that JSON.parse returns, but neither
 * a string of the text nor an array is created.
 *
 * @param start the index after the opening bracket
 * @param maxCount the largest number of numbers
 * @returns undefined unless the list has one to `maxCount` finite numbers; JSON.parse then finds the error. Also for a
 *   list that JSON.parse handles faster, because too many of its numbers need parsing one by one, and on a machine that
 *   cannot run the scanner.
 */
export function scanNumbers(bytes: Uint8Array, start: number, maxCount: number): ScannedNumbers | undefined {
  if (loaded === undefined) loaded = tryLoad()
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
    const status = scanner.scan(windowStart + from - base, windowStart + end - base, doublesStart)
    const scannedCount = (scanner.written.value - doublesStart) / Float64Array.BYTES_PER_ELEMENT
    from = base + scanner.at.value - windowStart
    if (count + scannedCount > maxCount) return undefined
    reserve(count, scannedCount, (bytes.length - start) / (from - start))
    values.set(doubles.subarray(0, scannedCount), count)
    count += scannedCount
    minimum = Math.min(minimum, scanner.minimum.value)
    maximum = Math.max(maximum, scanner.maximum.value)
    if (status === endOfList) return { values: values.subarray(0, count), minimum, maximum, end: from }
    if (status === notPlain) {
      if (count === maxCount || ++parsed > maxParsedBase + count * maxParsedShare) return undefined
      const numberEnd = findNumberEnd(bytes, from)
      const value = parseNumber(bytes, from, numberEnd)
      if (value === undefined) return undefined
      reserve(count, 1, 2)
      values[count++] = value
      minimum = Math.min(minimum, value)
      maximum = Math.max(maximum, value)
      const delimiter = skipSpace(bytes, numberEnd)
      from = delimiter + 1
      if (bytes[delimiter] === closingBracket)
        return { values: values.subarray(0, count), minimum, maximum, end: from }
      if (bytes[delimiter] !== comma) return undefined
      if (from < end) continue
    } else if (status !== endOfWindow) return undefined
    if (end === bytes.length) return undefined
    base = from
    end = fillWindow(memory, bytes, base)
  }
}

/**
 * Copies a part of a text to the scanner's memory.
 *
 * @returns the index at which the next window begins; the length of the text if this window is the last
 */
function fillWindow(memory: Uint8Array, bytes: Uint8Array, base: number): number {
  const part = bytes.subarray(base, base + windowBytes + marginBytes)
  memory.set(part, windowStart)
  if (base + part.length < bytes.length) return base + windowBytes
  memory.fill(0, windowStart + part.length, windowStart + part.length + marginBytes)
  return bytes.length
}

/**
 * Makes room for `added` numbers after the first `count`.
 *
 * @param growth an estimate of the final count as a multiple of the current one, to need only one allocation
 */
function reserve(count: number, added: number, growth: number): void {
  if (count + added <= values.length) return
  const larger = new Float64Array(Math.ceil((count + added) * Math.max(growth * 1.05, 1.5)))
  larger.set(values.subarray(0, count))
  values = larger
}

/** The finite number that the bytes represent, if any. */
function parseNumber(bytes: Uint8Array, start: number, end: number): number | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
  const value = jsonNumber.test(text) ? Number(text) : Number.NaN
  return Number.isFinite(value) ? value : undefined
}

function findNumberEnd(bytes: Uint8Array, start: number): number {
  let i = start
  while (isNumberByte(bytes[i])) i++
  return i
}

/** Whether a byte can be part of a number: a digit, a sign, a point or the letter of an exponent. */
function isNumberByte(byte: number | undefined): boolean {
  if (byte === undefined) return false
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e ||
    (byte | 0x20) === 0x65
  )
}

/** The index of the first byte from `start` on that is not white space. */
export function skipSpace(bytes: Uint8Array, start: number): number {
  let i = start
  while (bytes[i] === 0x20 || bytes[i] === 0x0a || bytes[i] === 0x0d || bytes[i] === 0x09) i++
  return i
}
