/** The tests that the quick tier excludes. */
export const slowTests = ['test/e2e/**', '**/*.integration.test.ts']
/** Tests with a separate command, because they need a container engine or a running instance. */
export const separateTests = ['test/e2e/image/**', 'test/e2e/conformance/**']
