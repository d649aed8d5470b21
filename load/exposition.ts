/** One line of Prometheus's text format. */
export type Sample = { name: string; labels: Record<string, string>; value: number }

/**
 * Parses a text exposition (version 0.0.4), without timestamps and exemplars.
 *
 * @throws Error naming the invalid line: an HTML page must not count as "no requests"
 * @example parseExposition('a_total{route="/payload"} 5\n')
 *   // [{ name: 'a_total', labels: { route: '/payload' }, value: 5 }]
 */
export function parseExposition(text: string): Sample[] {
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const match = /^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(\S+)/.exec(line)
    if (!match) throw new Error(`not Prometheus text: ${line.slice(0, 80)}`)
    const labels: Record<string, string> = {}
    for (const [, name = '', value = ''] of (match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
    }
    samples.push({ name: match[1] ?? '', labels, value: Number((match[3] ?? '').replace('Inf', 'Infinity')) })
  }
  return samples
}
