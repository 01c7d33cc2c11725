/** The folders of longer suites, each with the command that runs it. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  'test/oracles': 'npm run test:oracles',
  'test/services': 'npm run test:services',
  'test/api': 'npm run test:api',
  'test/crash': 'npm run test:crash',
  'test/bench': 'npm run bench',
}

/** After the plain suite, so that nobody takes it for all of them. */
export const teardown = (): void => {
  console.log(`left out here: ${Object.values(LEFT_OUT).join(', ')} (docs/testing.md)`)
}
