/**
 * Actions on the service during the run (a restart, a scale-down, a kill), from the file that EVENTS_FILE names: one per
 * line, a time, a space, a label.
 */

export type LoadEvent = { atMs: number; label: string }

/**
 * Parses an events file into events in order of time.
 *
 * @param text each line an RFC 3339 time or Unix milliseconds, then the label; blank lines are skipped
 * @throws Error naming the line without a time
 * @example parseEvents('2026-11-21T07:30:00Z roll api-2\n') // [{ atMs: 1795246200000, label: 'roll api-2' }]
 */
export function parseEvents(text: string): LoadEvent[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [time = '', ...label] = line.split(/\s+/)
      const atMs = /^\d+$/.test(time) ? Number(time) : Date.parse(time)
      if (!Number.isFinite(atMs)) throw new Error(`event without a time: ${line}`)
      return { atMs, label: label.join(' ') || 'event' }
    })
    .sort((a, b) => a.atMs - b.atMs)
}
