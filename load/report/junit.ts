import { escapeMarkup } from './markup.ts'
import type { Report } from './report.ts'

/** Renders the checks of a run as JUnit XML for a CI server. */
export function renderJUnit(report: Report): string {
  const count = (result: string): number => report.checks.filter((each) => each.result === result).length
  const cases = report.checks.map(({ name, result, detail }) => {
    const attributes = `classname="load.${escapeMarkup(report.profile)}" name="${escapeMarkup(name)}"`
    if (result === 'passed') return `    <testcase ${attributes}/>`
    const element = result === 'failed' ? 'failure' : 'skipped'
    return `    <testcase ${attributes}><${element} message="${escapeMarkup(detail)}"/></testcase>`
  })
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite name="load.${escapeMarkup(report.profile)}" tests="${report.checks.length}" failures="${count('failed')}" skipped="${count('skipped')}" errors="0" time="${report.seconds.toFixed(3)}" timestamp="${report.startedAt}">`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}
