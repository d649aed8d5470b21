import { casesOf, runConformance } from '../../conformance/run.ts'
import { type Check, check } from './check.ts'

/** Runs the conformance suite through the load balancer. */
export async function checkConformance(url: string): Promise<Check> {
  const result = await runConformance(url)
  const { passed, failed, skipped, output } = result
  if (failed > 0) console.log(output)
  return check(
    'the conformance suite passes',
    failed === 0,
    [`${passed} passed, ${failed} failed, ${skipped} left out`, ...casesOf(result, 'fail')].join('; '),
  )
}
