export type TestFailure = { file: string; name: string; message: string }

export type TestReport = {
  /** The test files that ran, as paths from the root of the project. */
  files: Set<string>
  failures: TestFailure[]
}

/** Reads a report as `bun test --reporter=junit` writes it. Throws when there is none. */
export async function readReport(path: string): Promise<TestReport> {
  const report: TestReport = { files: new Set(), failures: [] }
  let test = { file: '', name: '' }
  const attribute = (element: HTMLRewriterTypes.Element, name: string): string =>
    element.getAttribute(name) ?? ''
  // To an HTML parser a test case without a failure never ends, so a failure belongs to the last one that began.
  new HTMLRewriter()
    .on('testcase', {
      element(element) {
        test = {
          file: attribute(element, 'file'),
          name: `${attribute(element, 'classname')} > ${attribute(element, 'name')}`,
        }
        report.files.add(test.file)
      },
    })
    .on('failure, error', {
      element(element) {
        report.failures.push({ ...test, message: firstLine(attribute(element, 'message')) })
      },
    })
    .transform(await Bun.file(path).text())
  return report
}

function firstLine(text: string): string {
  return text.split(/&#10;|\n/, 1)[0] ?? ''
}
