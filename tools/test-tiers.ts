/** What the quick tier leaves out. */
export const slowTests = ['test/e2e/**', '**/*.integration.test.ts']
/** What has a command of its own, because it needs a container engine or a running instance. */
export const separateTests = ['test/e2e/image/**', 'test/e2e/conformance/**']
