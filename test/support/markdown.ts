/** A fenced block of code of a page. */
export interface CodeBlock {
  /** The first word after the fence: `sh`, `json`, … Empty if there is no word. */
  readonly language: string
  /** The second word: what a test does with the block. Empty if there is no word. */
  readonly name: string
  readonly text: string
  /** The line of the opening fence, from 1. */
  readonly line: number
}

/** The fenced blocks of a page, in order. */
export function parseCodeBlocks(page: string): CodeBlock[] {
  return [...page.matchAll(/^```([\w-]*)(?: (\S+))?\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    name: match[2] ?? '',
    text: match[3] ?? '',
    line: page.slice(0, match.index).split('\n').length,
  }))
}

/** A block of `sh` that a test runs, and the output that the page shows below it. */
export interface Command {
  readonly name: string
  readonly script: string
  /** The next block, if it is output: `json`, or text without a language. */
  readonly output: CodeBlock | undefined
  readonly line: number
}

/** The blocks of `sh` with a name, which tests run. */
export function parseCommands(page: string): Command[] {
  const blocks = parseCodeBlocks(page)
  return blocks.flatMap(({ language, name, text, line }, i) => {
    if (language !== 'sh' || name === '') return []
    const next = blocks[i + 1]
    const output = next?.language === 'json' || next?.language === '' ? next : undefined
    return [{ name, script: text, output, line }]
  })
}

/**
 * Whether the output of a command matches its page. In JSON the text `…` matches any text, and `processing_time_ms` any
 * number. Compares other output line by line, without white space around the lines.
 */
export function showsOutput(expected: CodeBlock, actual: string): boolean {
  if (expected.language === 'json') return matchesJson(JSON.parse(expected.text), JSON.parse(actual))
  return trimLines(expected.text) === trimLines(actual)
}

const trimLines = (text: string): string =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim())
    .join('\n')

function matchesJson(expected: unknown, actual: unknown, key = ''): boolean {
  if (key === 'processing_time_ms') return typeof actual === 'number'
  if (expected === '…') return typeof actual === 'string'
  if (typeof expected !== 'object' || expected === null) return expected === actual
  if (typeof actual !== 'object' || actual === null || Array.isArray(expected) !== Array.isArray(actual))
    return false
  const members = Object.entries(expected)
  return (
    members.length === Object.keys(actual).length &&
    members.every(([name, value]) => matchesJson(value, (actual as Record<string, unknown>)[name], name))
  )
}

export interface Link {
  /** A relative path; empty for a heading of the same page. */
  readonly target: string
  /** The text after `#`; empty without one. */
  readonly anchor: string
}

/** The relative links of a page, including pictures, without those in code. */
export function findLinks(page: string): Link[] {
  return [...withoutCode(page).matchAll(/\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(
    ([, target = '', anchor = '']) => ({ target, anchor }),
  )
}

/**
 * The anchors of a page's headings, as GitHub makes them: lower case, spaces as hyphens, without punctuation; a
 * repeated
 * heading gets a number.
 */
export function findAnchors(page: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of withoutCode(page).matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const anchor = heading
      .replaceAll(/\]\([^)]*\)|[[`*]/g, '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-')
    let unique = anchor
    for (let n = 1; anchors.has(unique); n++) unique = `${anchor}-${n}`
    anchors.add(unique)
  }
  return anchors
}

/**
 * Text in backticks that looks like the path of a file or folder of the project: with a slash, or with a known
 * extension.
 */
export function findPaths(page: string): string[] {
  const spans = [...page.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)]
  return spans.map(([, span = '']) => span).filter((span) => looksLikePath.test(span))
}

const looksLikePath =
  /^(?:(?:src|test|docs|tools|bench|load|deploy|k8s|\.ci|\.github)\/[\w./*<>{}$…-]*|[\w.-]+\/[\w./-]+\.(?:ts|md|sh|json|ya?ml|cfg|conf)|[A-Z]+\.md|(?:package|tsconfig|biome|knip)\.json|compose\.yaml|Dockerfile|Makefile)$/

/** Without fenced blocks, and without links in backticks. */
function withoutCode(page: string): string {
  return page.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*\]\([^`\n]*`/g, '')
}
