import { expect, test } from 'bun:test'
import { parseLcov, renderCobertura } from '../../tools/cobertura.ts'

const lcov = `TN:
SF:src/a/one.ts
DA:1,3
DA:2,0
LF:2
LH:1
end_of_record
SF:src/b/two<x>.ts
DA:7,1
LF:1
LH:1
end_of_record
`

test('has every line that lcov has, in Cobertura form, by folder', () => {
  const xml = renderCobertura(parseLcov(lcov), new Date(0))
  expect(xml).toContain('lines-valid="3" lines-covered="2"')
  expect(xml).toContain('<package name="src/a" line-rate="0.5000"')
  expect(xml).toContain('<line number="1" hits="3"/>\n<line number="2" hits="0"/>')
  expect(xml).toContain('filename="src/b/two&lt;x>.ts" line-rate="1.0000"')
})
