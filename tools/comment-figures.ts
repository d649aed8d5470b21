/**
 * Keeps measured figures out of the comments of `src/`: `bun tools/comment-figures.ts`. A figure grows old where nobody
 * measures it again; docs/performance.md has them, with their date and machine. A number with a unit of time or memory
 * in a comment fails the check, a unit alone (`in ms`) does not, nor does code in backticks or
 * after `@example`.
 */

/** Where a comment has a figure. */
export interface Figure {
  readonly line: number
  readonly text: string
}

/** A block, or lines that each begin with `//`; what stands before tells both from a path in a string. */
const comments = /(?<=^|[\s(])\/\*[\s\S]*?\*\/|(?:(?<=^|\s)\/\/[^\n]*(?:\n[ \t]*(?=\/\/))?)+/gm

/** A line may end between number and unit. */
const figures = /\d[ \t-]?(?:\n[ \t]*(?:\*|\/\/)[ \t]*)?(?:[µμ]s|us|ms|ns|[kKMG]i?B)\b/g

/** Code in a comment is notation, as `500ms` of a variable or an example, and not a figure. */
const code = /`[^`\n]*`|@example[^\n]*/g

/** Every line with a number and a unit of time or memory in the comments of a source text. */
export function findFigures(source: string): Figure[] {
  const lines = source.split('\n')
  const found = [...source.matchAll(comments)].flatMap((comment) => {
    const text = comment[0].replace(code, (span) => ' '.repeat(span.length))
    return [...text.matchAll(figures)].map(
      (figure) => source.slice(0, comment.index + figure.index).split('\n').length,
    )
  })
  return [...new Set(found)].map((line) => ({ line, text: lines[line - 1]!.trim() }))
}

if (import.meta.main) {
  let found = 0
  for (const path of [...new Bun.Glob('src/**/*.{ts,tsx,as}').scanSync('.')].sort()) {
    for (const { line, text } of findFigures(await Bun.file(path).text())) {
      found++
      console.error(`${path}:${line}: ${text}`)
    }
  }
  if (found > 0)
    console.error(`${found} figures in comments: give the reason in words, the figure in docs/performance.md`)
  process.exit(found > 0 ? 1 : 0)
}
