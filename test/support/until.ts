/**
 * Resolves as soon as the condition holds.
 *
 * @throws after 10 s, naming what never came
 */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never came: ${what}`)
    await Bun.sleep(5)
  }
}
