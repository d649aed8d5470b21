import type { Bar } from '../plots/bar.ts'

/** Groups all longer words. */
const maxLength = 20

/**
 * Counts the words of a text by length, in code points. Words are runs without white space, as the service counts them.
 *
 * @example countWordLengths('a bc de') // [{ start: 1, end: 2, count: 1 }, { start: 2, end: 3, count: 2 }]
 */
export function countWordLengths(text: string): Bar[] {
  const counts: number[] = []
  for (const [word] of text.matchAll(/\S+/gu)) {
    const length = Math.min([...word].length, maxLength)
    counts[length] = (counts[length] ?? 0) + 1
  }
  return Array.from({ length: Math.max(counts.length - 1, 0) }, (_, i) => ({
    start: i + 1,
    end: i + 2,
    count: counts[i + 1] ?? 0,
  }))
}
