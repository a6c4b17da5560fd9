/** Ends a run with one line that people and machines read alike: `N passed, N failed`. */
module.exports = class SummaryReporter {
  onRunComplete(_contexts, results) {
    // A file that could not be run counts as a failure too: its tests are in neither number.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    // At the very end: Jest's own summary and the table of coverage are written after this call.
    process.once('exit', () => process.stdout.write(`\n${results.numPassedTests} passed, ${failed} failed\n`));
  }
};
