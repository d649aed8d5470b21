/**
 * Draws a roll under load: `bun tools/roll-picture.ts reports/rollout/mixed-small`. Reads the output of `make
 * rollout-test` (requests.csv, events.txt) and writes docs/images/roll.svg, with a lane for each instance. Rejects a
 * run that lost or refused a request, because the picture is for the README.
 */
import { document, label, line, px, type Svg } from '../bench/svg.ts'
import { type LoadEvent, parseEvents } from '../load/events.ts'
import { parseRecord, type RequestRecord } from '../load/record.ts'

/** The data of a run for the picture. */
export interface Roll {
  readonly records: readonly RequestRecord[]
  readonly events: readonly LoadEvent[]
}

/** The requests that one instance answered, by second of the run. */
interface Lane {
  readonly name: string
  readonly answered: readonly number[]
}

const width = 860
const left = 96
const right = 72
const top = 92
const laneHeight = 26
const barHeight = 20
const footHeight = 34
const binMs = 1_000

/** @throws Error if a request was lost or refused, or if no request was answered */
export function drawRoll({ records, events }: Roll): Svg {
  const count = (kind: RequestRecord['class']): number =>
    records.filter((record) => record.class === kind).length
  const [answered, refused, lost] = [count('answered'), count('refused'), count('lost')]
  if (answered === 0) throw new Error('no request was answered')
  if (refused + lost > 0) throw new Error(`${lost} requests were lost and ${refused} refused`)

  const startMs = Math.min(...records.map(({ endedMs }) => endedMs))
  const bins = Math.floor((Math.max(...records.map(({ endedMs }) => endedMs)) - startMs) / binMs) + 1
  const lanes = toLanes(records, startMs, bins)
  const height = top + lanes.length * laneHeight + footHeight
  const toX = (atMs: number): number => left + ((atMs - startMs) / binMs / bins) * (width - left - right)
  const largest = Math.max(...lanes.flatMap((lane) => lane.answered))
  const slowest = Math.max(...records.map(({ durationMs }) => durationMs))
  const perSecond = Math.round(answered / bins)
  const title = `${answered.toLocaleString('en')} requests while every instance is replaced: 0 lost, 0 refused`
  const parts = [
    label({ x: 16, y: 26, text: title, look: 'strong' }),
    label({
      x: 16,
      y: 46,
      text: `${perSecond} a second, half on kept connections, half on new ones; slowest answer ${slowest.toFixed(0)} ms. Answers per second, by instance:`,
      look: 'muted',
    }),
    ...events.flatMap((event) => drawEvent(event, toX(event.atMs), height - footHeight)),
    ...lanes.flatMap((lane, row) =>
      drawLane(lane, top + row * laneHeight, (width - left - right) / bins, largest),
    ),
    ...timeAxis(bins, height - footHeight + 16, (second) => toX(startMs + second * 1_000)),
  ]
  return document(width, height, title, parts)
}

/** In order of version and name. */
function toLanes(records: readonly RequestRecord[], startMs: number, bins: number): Lane[] {
  const lanes = new Map<string, number[]>()
  for (const { instance, endedMs } of records) {
    const answered = lanes.get(instance) ?? Array.from({ length: bins }, () => 0)
    const bin = Math.floor((endedMs - startMs) / binMs)
    answered[bin] = (answered[bin] ?? 0) + 1
    lanes.set(instance, answered)
  }
  const version = (name: string): string => name.slice(name.lastIndexOf('-') + 1)
  return [...lanes]
    .map(([name, answered]) => ({ name, answered }))
    .sort((a, b) => version(a.name).localeCompare(version(b.name)) || a.name.localeCompare(b.name))
}

function drawLane({ name, answered }: Lane, y: number, binWidth: number, largest: number): Svg[] {
  const total = answered.reduce((sum, count) => sum + count, 0)
  // Instances of the previous version are gray.
  const look = name.endsWith('-v1') ? 'other' : 'own'
  const bars = answered.flatMap((count, bin) => {
    if (count === 0) return []
    const height = Math.max(1, (count / largest) * barHeight)
    return `<rect x="${px(left + bin * binWidth)}" y="${px(y + barHeight - height)}" width="${px(binWidth - 1)}" height="${px(height)}" class="${look}"/>`
  })
  return [
    label({ x: left - 10, y: y + barHeight - 4, text: name, anchor: 'end' }),
    line(left, y + barHeight, width - right, y + barHeight, 'grid'),
    ...bars,
    label({
      x: width - 16,
      y: y + barHeight - 4,
      text: total.toLocaleString('en'),
      anchor: 'end',
      look: 'muted',
    }),
  ]
}

/** A dashed line with its event: `roll 1: api-1 stops` becomes `api-1 ↓`. */
function drawEvent({ label: text }: LoadEvent, x: number, bottom: number): Svg[] {
  const [phase = '', what = ''] = text.split(': ')
  if (what === 'done' || what === 'steady') return []
  const isRoll = phase.startsWith('roll')
  return [
    line(x, top - 10, x, bottom, 'mark'),
    label({
      x: x + 3,
      y: top - (isRoll ? 14 : 0) - 4,
      text: isRoll ? what.replace(' stops', ' ↓') : phase,
      look: 'muted small',
    }),
  ]
}

function timeAxis(bins: number, y: number, toX: (second: number) => number): Svg[] {
  const seconds = Array.from({ length: Math.floor(bins / 10) + 1 }, (_, i) => i * 10)
  return seconds.map((second) =>
    label({ x: toX(second), y, text: `${second} s`, anchor: 'middle', look: 'muted small' }),
  )
}

if (import.meta.main) {
  const folder = Bun.argv[2] ?? 'reports/rollout/mixed-small'
  const read = (name: string): Promise<string> => Bun.file(`${folder}/${name}`).text()
  const records = (await read('requests.csv')).split('\n').flatMap((text) => parseRecord(text) ?? [])
  const svg = drawRoll({ records, events: parseEvents(await read('events.txt')) })
  await Bun.write(new URL('../docs/images/roll.svg', import.meta.url), svg)
}
