/** Weights of CVSS 3.1, https://www.first.org/cvss/v3.1/specification-document, table 16. */
const weights: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  AV: { N: 0.85, A: 0.62, L: 0.55, P: 0.2 },
  AC: { L: 0.77, H: 0.44 },
  UI: { N: 0.85, R: 0.62 },
  C: { H: 0.56, L: 0.22, N: 0 },
  I: { H: 0.56, L: 0.22, N: 0 },
  A: { H: 0.56, L: 0.22, N: 0 },
}
/** Privileges weigh less when the scope changes. */
const privileges: Readonly<Record<'U' | 'C', Readonly<Record<string, number>>>> = {
  U: { N: 0.85, L: 0.62, H: 0.27 },
  C: { N: 0.85, L: 0.68, H: 0.5 },
}

/**
 * The base score of a CVSS 3.0 or 3.1 vector, from 0 to 10.
 *
 * @returns undefined for another version or an invalid vector
 * @example cvssBaseScore('CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H') // 9.8
 */
export function cvssBaseScore(vector: string): number | undefined {
  if (!/^CVSS:3\.[01]\//.test(vector)) return undefined
  const metrics = new Map(vector.split('/').map((each) => each.split(':') as [string, string]))
  const scope = metrics.get('S') === 'C' ? 'C' : 'U'
  const values = Object.keys(weights).map((name) => weights[name]?.[metrics.get(name) ?? ''])
  const privilege = privileges[scope][metrics.get('PR') ?? '']
  if (privilege === undefined || values.includes(undefined)) return undefined
  const [attack, complexity, interaction, confidentiality, integrity, availability] = values as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const base = 1 - (1 - confidentiality) * (1 - integrity) * (1 - availability)
  const impact = scope === 'U' ? 6.42 * base : 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15
  if (impact <= 0) return 0
  const exploitability = 8.22 * attack * complexity * privilege * interaction
  return roundUp(Math.min((scope === 'U' ? 1 : 1.08) * (impact + exploitability), 10))
}

/** Rounds up to one decimal, as appendix A of the specification does to avoid floating-point errors. */
function roundUp(value: number): number {
  const scaled = Math.round(value * 100_000)
  return scaled % 10_000 === 0 ? scaled / 100_000 : (Math.floor(scaled / 10_000) + 1) / 10
}
