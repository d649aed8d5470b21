/** A fragment of an SVG document. */
export type Svg = string

/** Escapes text for element content and attributes. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

/** Rounds to a tenth of a pixel to keep the file small. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10)
}

interface Label {
  readonly x: number
  readonly y: number
  readonly text: string
  /** CSS classes: `muted`, `strong`, `small`. */
  readonly look?: string
  readonly anchor?: 'start' | 'middle' | 'end'
}

export function label({ x, y, text, look = '', anchor = 'start' }: Label): Svg {
  return `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}" class="${look}">${escapeXml(text)}</text>`
}

/** A straight line; `look` holds CSS classes. */
export function line(x1: number, y1: number, x2: number, y2: number, look: string): Svg {
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" class="${look}"/>`
}

/**
 * Series colors by index; Tally's is the first. Okabe and Ito's palette, which color-blind readers can distinguish:
 * darker on white, lighter on black.
 */
const lightSeries = ['#0072b2', '#555555', '#d55e00', '#009e73', '#cc79a7', '#b58900', '#7a5af5']
const darkSeries = ['#56b4e9', '#b0b0b0', '#ff8c42', '#2fd6a5', '#e79bc8', '#f0e442', '#a594ff']

const seriesRules = (colors: readonly string[]): string =>
  colors.map((color, i) => `.s${i}{stroke:${color};fill:${color}}`).join('')

const style =
  'text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328;stroke:none}' +
  '.page{fill:#ffffff;stroke:#d1d9e0}.muted{fill:#59636e}.strong{font-weight:600}.small{font-size:11px}' +
  '.grid{stroke:#d1d9e0}.axis{stroke:#818b98}.mark{stroke:#59636e;stroke-dasharray:3 3}' +
  '.other{fill:#a9b4c0}.own{fill:#0072b2}' +
  `.line{fill:none!important;stroke-width:2}${seriesRules(lightSeries)}` +
  '@media (prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117;stroke:#3d444d}' +
  '.muted{fill:#9198a1}.grid{stroke:#2a313a}.axis{stroke:#656c76}.mark{stroke:#9198a1}' +
  `.other{fill:#56606c}.own{fill:#56b4e9}${seriesRules(darkSeries)}}`

/**
 * A complete SVG document with its own background, in light or dark by the reader's preference.
 *
 * @param title the text for screen readers
 */
export function document(width: number, height: number, title: string, parts: readonly Svg[]): Svg {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<style>${style}</style>`,
    `<rect class="page" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n')
}
