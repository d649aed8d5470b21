import { test } from 'bun:test'

/**
 * Registers a test, or skips it and prints the reason.
 *
 * @param reason undefined: the test runs
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
