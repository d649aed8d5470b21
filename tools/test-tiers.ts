/** What the quick tier leaves out. */
export const slowTests = ['test/e2e/**', '**/*.integration.test.ts']
/** Tests with a command of their own, because they need a container engine or a running instance. */
export const separateTests = ['test/e2e/image/**', 'test/e2e/conformance/**']
