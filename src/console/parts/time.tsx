import { useEffect, useState } from 'react'

const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const
const format = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })

/** A time relative to now: `3 minutes ago`. */
function formatRelative(ms: number): string {
  const [unit, length] = units.find(([, each]) => Math.abs(ms) >= each) ?? units[3]
  return format.format(Math.round(ms / length), unit)
}

/** Update interval of relative times, in ms. */
const refreshMs = 1_000

/** A relative time, with the exact time as its title. */
export function Time({ at }: { readonly at: string }) {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), refreshMs)
    return () => clearInterval(timer)
  }, [])
  return (
    <time dateTime={at} title={at}>
      {formatRelative(Date.parse(at) - now)}
    </time>
  )
}
