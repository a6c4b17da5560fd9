/**
 * Who may import whom. Change a rule with the structure, in one commit, and keep its planted violation
 * (`tests/dependency-rules.test.ts`): a rule that cannot fail protects nothing.
 * @type {import('dependency-cruiser').IConfiguration}
 */
const TEST = '\\.test\\.ts$';
// A room is a file, or the folder of its name that it grew into, at any depth: `rules.ts`, `rules/hours.ts`, `ledger/rules.ts`.
const room = (name) => `^services/.+/${name}(?:\\.ts$|/)`;
// What a context tells others is a room of the context itself, and none of its capabilities.
const EVENTS = '^services/([^/]+)/events(?:\\.ts$|/)';
const compiledRoom = (name) => `^dist/services/.+/${name}(?:\\.js$|/)`;
const PRODUCT = '^(main\\.ts$|(kernel|platform|db|workflows|activities|services|workers)/)';

/** Folders of `root` that stand on each other, the ground first: each may import those before it, and nothing else of `root`. */
const floors = (name, root, stories) =>
  stories.map((story, height) => ({
    name: `${name}-${story.join('-')}-imports-downward`,
    severity: 'error',
    from: { path: `^${root}/(${story.join('|')})/`, pathNot: TEST },
    to: { path: `^${root}/`, pathNot: `^${root}/(${[...stories.slice(0, height).flat(), '$1'].join('|')})/` },
  }));

module.exports = {
  forbidden: [
    ...floors('dev', 'dev', [['machine'], ['processes'], ['postgres', 'temporal'], ['stack']]),
    ...floors('sandbox', 'dev/stripe-sandbox', [['memory'], ['wire'], ['objects'], ['world']]),
    {
      name: 'product-needs-no-tooling',
      severity: 'error',
      from: { path: PRODUCT, pathNot: TEST },
      to: { path: '^(dev|tests|bench|scripts)/' },
    },
    {
      name: 'kernel-is-pure',
      comment: 'It runs inside workflows too; the one package it may use is a time-zone library.',
      severity: 'error',
      from: { path: '^kernel/', pathNot: TEST },
      to: { pathNot: ['^kernel/', '^node_modules/temporal-polyfill/'] },
    },
    {
      name: 'workflows-stay-deterministic',
      severity: 'error',
      from: { path: '^workflows/', pathNot: TEST },
      to: { pathNot: ['^workflows/', '^kernel/', '^activities/', '^node_modules/@temporalio/(workflow|common)/'] },
    },
    // What may be imported as types only is judged where types are gone: in what the compiler left.
    {
      name: 'workflows-see-activities-as-types',
      severity: 'error',
      from: { path: '^dist/workflows/', pathNot: '\\.test\\.js$' },
      to: { path: '^dist/activities/' },
    },
    {
      name: 'rules-see-contract-and-events-as-types',
      severity: 'error',
      from: { path: compiledRoom('rules') },
      to: { path: [compiledRoom('contract'), compiledRoom('events')] },
    },
    {
      name: 'activities-only-call-clients',
      severity: 'error',
      from: { path: '^activities/', pathNot: TEST },
      to: {
        pathNot: [
          '^activities/',
          '^kernel/',
          '^platform/',
          room('client'),
          room('contract'),
          '^node_modules/@temporalio/(activity|common)/',
        ],
      },
    },
    {
      name: 'services-do-not-import-each-other',
      severity: 'error',
      comment: 'But for what the other publishes: its events.',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^services/[^/]+/', pathNot: ['^services/$1/', EVENTS] },
    },
    {
      name: 'events-are-made-of-building-blocks',
      severity: 'error',
      comment: 'Whoever imports them gets nothing else of the context with them.',
      from: { path: EVENTS, pathNot: TEST },
      to: { pathNot: ['^kernel/', '^platform/event-schema\\.ts$', '^services/$1/events/', '^node_modules/zod/'] },
    },
    {
      name: 'services-start-workflows-by-api',
      severity: 'error',
      from: { path: '^services/', pathNot: TEST },
      to: { path: '^(workflows|activities|workers)/', pathNot: '^workflows/[^/]+\\.api\\.ts$' },
    },
    {
      name: 'a-context-owns-its-tables',
      severity: 'error',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^db/schema/', pathNot: '^db/schema/$1\\.ts$' },
    },
    {
      name: 'only-the-store-touches-the-database',
      severity: 'error',
      from: { path: '^services/', pathNot: [room('store'), TEST] },
      to: { path: ['^db/', '^node_modules/(drizzle-orm|postgres)/'] },
    },
    {
      name: 'rules-are-pure',
      severity: 'error',
      from: { path: room('rules'), pathNot: TEST },
      to: { pathNot: ['^kernel/', room('contract'), room('rules'), EVENTS] },
    },
    {
      name: 'one-door-to-stripe',
      severity: 'error',
      from: { path: PRODUCT, pathNot: ['^services/payment/stripe/door/', TEST] },
      to: { path: '^node_modules/stripe/' },
    },
    {
      name: 'one-door-to-mail',
      severity: 'error',
      from: { path: PRODUCT, pathNot: ['^services/notification/mailer\\.ts$', TEST] },
      to: { path: '^node_modules/nodemailer/' },
    },
    {
      name: 'one-door-to-providers',
      severity: 'error',
      from: { path: PRODUCT, pathNot: ['^services/identity/oidc/door\\.ts$', TEST] },
      to: { path: '^node_modules/openid-client/' },
    },
    {
      name: 'platform-knows-no-context',
      severity: 'error',
      from: { path: '^platform/', pathNot: TEST },
      to: { path: '^(services|workflows|activities|workers)/|^db/schema/(?!platform\\.ts$)' },
    },
    {
      name: 'db-knows-nobody',
      severity: 'error',
      from: { path: '^db/' },
      to: { path: '^(services|workflows|activities|workers|platform)/' },
    },
    {
      name: 'workers-reach-services-by-client',
      severity: 'error',
      from: { path: '^workers/', pathNot: TEST },
      to: { path: '^(services|db)/', pathNot: room('client') },
    },
    {
      name: 'nobody-imports-the-entry-point',
      severity: 'error',
      from: { pathNot: '^(dev|tests)/' },
      to: { path: '^main\\.ts$' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: [
          TEST,
          '^main\\.ts$',
          '^(dev|scripts|bench|tests)/',
          '\\.c?js$',
          '\\.d\\.ts$',
          '\\.config\\.ts$',
          '^dist/',
        ],
      },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(coverage|\\.data)/' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
