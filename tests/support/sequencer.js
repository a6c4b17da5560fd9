const { sep } = require('node:path');
const { default: Sequencer } = require('@jest/test-sequencer');

/** Folders of files that run a whole platform or Temporal's real server: the longest, whatever their size. */
const LONG = ['tests/faults/', 'tests/e2e/', 'workflows/'].map((folder) => folder.replaceAll('/', sep));

/**
 * Jest begins with the files that took longest the last time, and where it does not remember with the largest. Of those the long ones go
 * first: one that begins last keeps a processor busy alone when all others have ended.
 */
module.exports = class extends Sequencer {
  sort(tests) {
    const place = ({ path, duration }) => {
      const folder = LONG.findIndex((name) => path.includes(sep + name));
      return duration !== undefined || folder < 0 ? LONG.length : folder;
    };
    const known = super.sort(tests);
    return known.toSorted((one, other) => place(one) - place(other));
  }
};
