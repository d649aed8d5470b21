import { describe, expect, test } from 'bun:test'
import { formatCurl } from '../../src/console/analyze/format-curl.ts'
import { parseFile } from '../../src/console/analyze/parse-file.ts'
import { parseNumbers } from '../../src/console/analyze/parse-numbers.ts'
import { runSuccessfully } from '../support/command.ts'
import { hasProgram } from '../support/programs.ts'

describe('numbers', () => {
  test('may have any separators', () => {
    for (const text of [
      '1,2.5,-3e2',
      '1; 2.5 ;-3e2',
      '1\t2.5\n-3e2',
      '[1, 2.5, -3e2]',
      '1|2.5|-3e2',
      ' 1\r\n2.5 -3e2',
    ])
      expect([...parseNumbers(text).numbers]).toEqual([1, 2.5, -300])
    expect(parseNumbers('').numbers).toHaveLength(0)
  })

  test('counts invalid tokens and reports the first ones with their line', () => {
    const { numbers, invalid } = parseNumbers('1 two\n3 NaN 0x10\nInfinity 1e999 1.2.3 6')
    expect([...numbers]).toEqual([1, 3, 6])
    expect(invalid.count).toBe(6)
    expect(invalid.examples.slice(0, 3)).toEqual([
      { line: 1, token: 'two' },
      { line: 2, token: 'NaN' },
      { line: 2, token: '0x10' },
    ])
  })
})

describe('a file', () => {
  /** The numbers of each column by name. */
  const columnsOf = (name: string, content: string) =>
    Object.fromEntries(
      parseFile(name, content).columns.map(({ name: column, numbers }) => [column, [...numbers]]),
    )

  test('of CSV yields its numeric columns', () => {
    const content = 'city,temperature,"wind, m/s"\n"Köln, DE",21.5,3\nBonn,20,4.5\n"say ""hi""",,\n'
    expect(columnsOf('weather.csv', content)).toEqual({ temperature: [21.5, 20], 'wind, m/s': [3, 4.5] })
  })

  test('of CSV may lack a header and use other separators', () => {
    expect(columnsOf('a.csv', '1;2\r\n3;4\r\n')).toEqual({ 'column 1': [1, 3], 'column 2': [2, 4] })
    expect(columnsOf('a.tsv', 'x\ty\n1\t2')).toEqual({ x: [1], y: [2] })
  })

  test('counts the values of a column that are not numbers', () => {
    expect(parseFile('a.csv', 'x\n1\nnone\n3').columns).toMatchObject([{ name: 'x', skipped: 1 }])
  })

  test('of JSON is a list of numbers, a payload, or a list of objects', () => {
    expect(columnsOf('a.json', '[1, 2, 3]')).toEqual({ values: [1, 2, 3] })
    expect(parseFile('a.json', '{"numbers": [1, 2], "text": "a b"}')).toMatchObject({
      columns: [{ name: 'numbers' }],
      text: 'a b',
    })
    expect(columnsOf('a.json', '[{"x": 1, "y": "a"}, {"x": 2}]')).toEqual({ x: [1, 2] })
    expect(() => parseFile('a.json', '{')).toThrow(SyntaxError)
  })

  test('of NDJSON has a number or an object per line, and an error names the invalid line', () => {
    expect(columnsOf('a.ndjson', '1\n2\n\n3\n')).toEqual({ values: [1, 2, 3] })
    expect(columnsOf('a.jsonl', '{"x":1}\n{"x":2}')).toEqual({ x: [1, 2] })
    expect(() => parseFile('a.ndjson', '1\nx')).toThrow('line 2 is not JSON')
  })

  test('of text is a list of numbers, or prose when words outnumber numbers', () => {
    expect(columnsOf('a.txt', '1 2 3 four')).toEqual({ 'a.txt': [1, 2, 3] })
    expect(parseFile('a.txt', 'Chapter 1 begins here.')).toEqual({
      columns: [],
      text: 'Chapter 1 begins here.',
    })
  })

  test('may contain many numbers', () => {
    const { columns } = parseFile(
      'a.csv',
      `x\n${Array.from({ length: 200_000 }, (_, i) => i / 8).join('\n')}`,
    )
    expect(columns[0]?.numbers).toHaveLength(200_000)
  })
})

test.skipIf(!hasProgram('sh', 'dash'))(
  'the command for a shell contains exactly the typed text',
  async () => {
    const body = `{"text":"it's $HOME \`id\` \\" !"}`
    const command = formatCurl('http://localhost/payload', body)
    const output = await runSuccessfully(['sh', '-c', command.replace(/^curl/, 'printf "%s\\n"')])
    expect(output.trimEnd().split('\n')).toEqual([
      'http://localhost/payload',
      '-H',
      'content-type: application/json',
      '--data',
      body,
    ])
    expect(formatCurl('http://localhost/payload', undefined)).toEndWith('--data @payload.json')
  },
)
