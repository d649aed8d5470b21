import { describe, expect, test } from 'bun:test'
import { escapeCell, replaceBetween, tableOf } from '../../tools/markdown.ts'

test('a table has a row for the headings, a line, and a row for each line', () => {
  expect(tableOf(['a', 'b'], [['1', escapeCell('x|y')]])).toBe('| a | b |\n| --- | --- |\n| 1 | x\\|y |')
})

describe('the text between two marks', () => {
  test('is replaced as it is, and the marks stay', () => {
    expect(replaceBetween('1 <a> old </a> 2', '<a>', '</a>', "$& $'")).toBe("1 <a>$& $'</a> 2")
    expect(replaceBetween('<a x> old </a>', /<a\b[^>]*>/, '</a>', '-')).toBe('<a x>-</a>')
  })

  test.each(['no marks', '<a> alone', '</a> before <a>'])('is not replaced in "%s"', (document) => {
    expect(() => replaceBetween(document, '<a>', '</a>', '-')).toThrow('no mark <a> … </a>')
  })
})
