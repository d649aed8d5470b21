import { test } from 'bun:test'

/**
 * A test, or a line with the reason why it is skipped.
 *
 * @param reason undefined: the test is run
 * @param timeoutMs default: that of the run
 */
export function testUnless(
  reason: string | undefined,
  title: string,
  body: () => Promise<void>,
  timeoutMs?: number,
): void {
  if (reason === undefined) test(title, body, timeoutMs)
  else test.skip(`${title} [left out: ${reason}]`, body)
}
