/**
 * Rejects words that make a native reader stop: `bun tools/words.ts`. Checks the prose of Markdown, without code;
 * comments and texts (messages, test titles) of TypeScript; and every line of other text files.
 */
import { comments } from './comment-figures.ts'

/** A banned word, and what to write instead. */
export interface BannedWord {
  readonly pattern: RegExp
  readonly instead: string
}

/** A banned word in a text. */
export interface Finding {
  readonly line: number
  readonly word: string
  readonly instead: string
}

const banned = (words: string, instead: string): BannedWord => ({
  pattern: new RegExp(`\\b(?:${words})\\b`, 'gi'),
  instead,
})

export const bannedWords: readonly BannedWord[] = [
  banned('told|tells?|telling', 'say, report, show, name; for a program: send, notify'),
  banned(
    'whoever|whosoever|somebody|anybody|nobody(?![\'"-])',
    'name the actor: the client, the operator, no instance',
  ),
  banned('whatever|whatsoever|whichever', 'any, every, no matter which'),
  banned('none of which|none of (?:them|these|those|it)', 'no …'),
  banned('in vain|anew|dearer|thereof|hereby|whilst|amongst', 'a plain word'),
  banned('mend(?:s|ed|ing)?', 'fix'),
  banned('hears?|heard', 'receive, is notified'),
  banned('the one way in|ways? in', 'request pipeline'),
  banned('(?:hand(?:s|ed|ing)? (?:it |them |the task )?back)', 'release'),
  banned('given up|gives? up|gave up|giving up', 'fail permanently; abandon; close'),
  banned('cut at the deadline|what must be cut', 'abort'),
  banned("of (?:its|their|one's) own", 'its own, their own; separate, new'),
  banned('any more', 'no longer'),
  banned('(?:is|are|was|were|has|have|had) given', 'gets, has'),
  banned('(?<!He )said', 'stated, reported'),
  banned(
    '(?<!there )(?:is|are) no (?:json|numbers?|lists?|objects?|texts?|faults?|failures?|floods?|events?|secrets?)',
    'is not a …',
  ),
  banned('in hand', 'in flight; running'),
  banned('operations port', 'admin server'),
  banned('is wanted|are wanted', 'is required'),
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

/** References that only an author could follow. */
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

/** Finds the words of a list in prose. */
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

/** Blanks everything except prose, so that line numbers stay the same. */
export function maskCode(path: string, text: string): string {
  if (path.endsWith('.md'))
    return [/^```[\s\S]*?^```$/gm, /`[^`\n]*`/g, /\]\([^)\s]*\)/g, /<!--[\s\S]*?-->/g].reduce(blank, text)
  if (path.endsWith('.py')) return blank(text, /\bis (?:not )?None\b/g)
  return /\.tsx?$/.test(path) ? keepTexts(text) : text
}

/** Single-line string literals and templates. */
const literals = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\\n])*`/g

const toBlanks = (code: string): string => code.replaceAll(/[^\n]/g, ' ')
const blank = (text: string, code: RegExp): string => text.replaceAll(code, toBlanks)

/** Keeps comments, without code in backticks, and literals, without expressions. */
function keepTexts(source: string): string {
  const withoutComments = blank(source, comments)
  const texts = blank(keep(withoutComments, literals), /\$\{[^}\n]*\}/g)
  const prose = blank(keep(source, comments), /`[^`\n]*`/g)
  return prose
    .split('')
    .map((char, i) => (char === ' ' ? texts[i] : char))
    .join('')
}

/** Blanks everything except the matches. */
function keep(text: string, part: RegExp): string {
  let end = 0
  let kept = ''
  for (const match of text.matchAll(part)) {
    kept += toBlanks(text.slice(end, match.index)) + match[0]
    end = match.index + match[0].length
  }
  return kept + toBlanks(text.slice(end))
}

/** The project's text files, except those that list the words. */
function listFiles(): string[] {
  const { stdout } = Bun.spawnSync(['git', 'ls-files', '--cached', '--others', '--exclude-standard'])
  return stdout
    .toString()
    .trim()
    .split('\n')
    .filter((path) => !/\.(?:png|svg|wasm|lock)$|^LICENSE$|(?:^|\/)package-lock\.json$/.test(path))
    .filter((path) => !/^(?:tools|test\/tools)\/words\./.test(path))
}

if (import.meta.main) {
  let found = 0
  for (const path of listFiles()) {
    const file = Bun.file(path)
    if (!(await file.exists())) continue
    const text = await file.text()
    const findings = [...findWords(text, unreadable), ...findWords(maskCode(path, text), bannedWords)]
    for (const { line, word, instead } of findings) console.error(`${path}:${line}: "${word}": ${instead}`)
    found += findings.length
  }
  if (found > 0) console.error(`${found} banned words: write what follows the colon instead`)
  process.exit(found > 0 ? 1 : 0)
}
