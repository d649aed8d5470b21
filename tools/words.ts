/**
 * Keeps words out that make a native reader stop: `bun tools/words.ts`. In Markdown the prose is checked, without code; in
 * TypeScript comments and texts (messages, titles of tests); elsewhere every line.
 *
 * A file is checked when it is in `rewritten`, which grows until it is everything. References that no reader can follow are
 * refused in all files.
 */
import { comments } from './comment-figures.ts'

/** A word that is not used here, and what to write instead. */
export interface BannedWord {
  readonly pattern: RegExp
  readonly instead: string
}

/** Where a text has one. */
export interface Finding {
  readonly line: number
  readonly word: string
  readonly instead: string
}

/** The files whose text has been rewritten. Add to it; take nothing away. */
export const rewritten: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  '.github/**/*',
  'docs/**/*',
  'k8s/**/*',
  'deploy/**/*',
  'CHANGELOG.md',
  'src/lifecycle/README.md',
  '{Makefile,Dockerfile,compose.yaml}',
  '.ci/*',
  '{bench,load}/README.md',
  'src/!(console|analysis)/**/*',
  'src/*',
  '{test,tools}/**/*',
]

const banned = (words: string, instead: string): BannedWord => ({
  pattern: new RegExp(`\\b(?:${words})\\b`, 'gi'),
  instead,
})

export const bannedWords: readonly BannedWord[] = [
  banned('told|tells?|telling', 'say, report, show, name; for a program: send, notify'),
  banned(
    'whoever|whosoever|somebody|anybody|nobody(?![\'"])',
    'name the actor: the client, the operator, no instance',
  ),
  banned('none of which|none of (?:them|these|those|it)', 'no …'),
  banned('in vain|anew|dearer|thereof|hereby|whilst|amongst', 'a plain word'),
  banned('mend(?:s|ed|ing)?', 'fix'),
  banned('hears?|heard', 'receive, is notified'),
  banned('the one way in|ways? in', 'request pipeline'),
  banned('(?:hand(?:s|ed|ing)? (?:it |them |the task )?back)', 'release'),
  banned('given up|gives? up|gave up|giving up', 'fail permanently; abandon; close'),
  banned('cut at the deadline|what must be cut', 'abort'),
  banned('in hand', 'in flight; running'),
  banned('operations port', 'admin server'),
  banned('gates', 'middleware, checks'),
  banned('is wanted|are wanted', 'is required'),
  banned('is said|are said|as said', 'is stated'),
  banned('looks? every', 'polls every'),
  banned('so (?:many|much|long)(?! (?:as|that))', 'the count, the size, the time'),
  banned('(?<!there )(?:is|are|be) none', 'is invalid; there is no …'),
  banned('for (?:it|they|there) (?:is|are|has|have|was|were|does|do|can|may|must|will)', 'because'),
  banned('(?:who|what) (?:comes|came)', 'clients, requests'),
  banned(
    'behaviour|colour|neighbour(?:s|hood)?|licence|honour(?:s|ed)?|favour(?:s|ed)?|centre|grey',
    'American spelling',
  ),
  banned(
    'analys(?:ed?|ing)|(?:optim|recogn|serial|organ|summar|author|initial)is(?:e[sd]?|ing|ation)',
    'American spelling',
  ),
]

/** In every file: what only an author could follow. */
export const unreadable: readonly BannedWord[] = [
  {
    pattern:
      /\b(?:DESIGN|GLOSSARY|REVIEW|STYLE|FEATURES(?:-AUDIT)?|BUN|ECOSYSTEM|LIBRARIES|CONTAINERS)\.md\b/g,
    instead: 'a document in this repository',
  },
  {
    pattern: /\/work\/(?:shared|main)\b|\bissues? #?\d+ of this\b|\bgoals of issue \d+/g,
    instead: 'the reason itself',
  },
]

/** The words of a list in a text that is prose throughout. */
export function findWords(prose: string, words: readonly BannedWord[]): Finding[] {
  return words
    .flatMap(({ pattern, instead }) =>
      [...prose.matchAll(pattern)].map((match) => ({
        line: prose.slice(0, match.index).split('\n').length,
        word: match[0],
        instead,
      })),
    )
    .sort((a, b) => a.line - b.line)
}

/** A file with everything but its prose as blanks, so that lines keep their numbers. */
export function maskCode(path: string, text: string): string {
  if (path.endsWith('.md'))
    return [/^```[\s\S]*?^```$/gm, /`[^`\n]*`/g, /\]\([^)\s]*\)/g, /<!--[\s\S]*?-->/g].reduce(blank, text)
  if (/\.tsx?$/.test(path)) return keep(text, [comments, texts]).replace(/`[^`\n]*`/g, toBlanks)
  return text
}

/** Texts of one line in a program. */
const texts = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g

const toBlanks = (code: string): string => code.replaceAll(/[^\n]/g, ' ')
const blank = (text: string, code: RegExp): string => text.replaceAll(code, toBlanks)

function keep(text: string, parts: readonly RegExp[]): string {
  const kept = toBlanks(text).split('')
  for (const part of parts)
    for (const match of text.matchAll(part))
      for (let i = match.index; i < match.index + match[0].length; i++) kept[i] = text[i] as string
  return kept.join('')
}

/** The text files of the project, but those that list the words. */
function listFiles(): string[] {
  const { stdout } = Bun.spawnSync(['git', 'ls-files', '--cached', '--others', '--exclude-standard'])
  return stdout
    .toString()
    .trim()
    .split('\n')
    .filter((path) =>
      /\.(?:tsx?|md|sh|ya?ml|as|cfg|conf|py)$|^(?:Makefile|Dockerfile|\.ci\/run|\.github\/.*)$/.test(path),
    )
    .filter((path) => !/^(?:tools|test\/tools)\/words\./.test(path))
}

if (import.meta.main) {
  const globs = rewritten.map((pattern) => new Bun.Glob(pattern))
  let found = 0
  for (const path of listFiles()) {
    const file = Bun.file(path)
    if (!(await file.exists())) continue
    const text = await file.text()
    const isRewritten = globs.some((glob) => glob.match(path))
    const findings = [
      ...findWords(text, unreadable),
      ...(isRewritten ? findWords(maskCode(path, text), bannedWords) : []),
    ]
    for (const { line, word, instead } of findings) console.error(`${path}:${line}: "${word}": ${instead}`)
    found += findings.length
  }
  if (found > 0) console.error(`${found} words that do not work: write what stands behind the colon`)
  process.exit(found > 0 ? 1 : 0)
}
