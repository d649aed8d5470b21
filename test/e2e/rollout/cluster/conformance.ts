import { casesOf, runConformance } from '../../conformance/run.ts'
import { type Check, check } from './check.ts'

/**
 * Runs the conformance suite through the load balancer.
 *
 * @param print receives the output if a case fails
 */
export async function checkConformance(url: string, print: (text: string) => void): Promise<Check> {
  const result = await runConformance(url)
  const { passed, failed, skipped, output } = result
  if (failed > 0) print(output)
  return check(
    'the conformance suite passes',
    failed === 0,
    [`${passed} passed, ${failed} failed, ${skipped} left out`, ...casesOf(result, 'fail')].join('; '),
  )
}
