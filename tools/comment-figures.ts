/**
 * Keeps measured figures out of the comments in `src/`: `bun tools/comment-figures.ts`. Figures in comments become
 * outdated; they belong in docs/performance.md, with date and machine. The check fails on a number with a unit of time or
 * memory in a comment. It allows a unit alone (`in ms`) and code in backticks or after `@example`.
 */

/** A figure in a comment. */
export interface Figure {
  readonly line: number
  readonly text: string
}

/** A block, or consecutive lines that begin with `//`; the preceding character excludes paths in strings. */
export const comments = /(?<=^|[\s(])\/\*[\s\S]*?\*\/|(?:(?<=^|\s)\/\/[^\n]*(?:\n[ \t]*(?=\/\/))?)+/gm

/** A line break is possible between number and unit. */
const figures = /\d[ \t-]?(?:\n[ \t]*(?:\*|\/\/)[ \t]*)?(?:[µμ]s|us|ms|ns|[kKMG]i?B)\b/g

/** Code in a comment, such as the value `500ms` of a variable, is not a figure. */
const code = /`[^`\n]*`|@example[^\n]*/g

/** Finds the lines of a source text whose comments contain a number with a unit of time or memory. */
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
    console.error(
      `${found} figures in comments: move them to docs/performance.md and state the reason in words`,
    )
  process.exit(found > 0 ? 1 : 0)
}
