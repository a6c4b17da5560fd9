import { z } from 'zod';

/** One kind of reply that Schemathesis holds against the reference, with an example. */
export interface Finding {
  operation: string;
  check: string;
  status: number;
  /** The code of the problem document, or the beginning of what came instead of one. */
  code: string;
  /** What the problem document says of single fields: `<path> <message>`. */
  fields: string[];
  example: string;
  times: number;
}

interface Known extends Partial<Pick<Finding, 'operation' | 'code'>> {
  field?: RegExp;
  why: string;
}

/**
 * What a reference cannot say, so that a request it allows is refused. Everything else that is found fails the check. All of it is of one kind
 * (`positive_data_acceptance`): nothing that the reference forbids is taken, and no reply is of another kind than it says.
 */
const KNOWN: readonly Known[] = [
  { code: 'validation_failed', field: /^query\.cursor /, why: 'a cursor is opaque: only a list itself makes one' },
  { code: 'invalid_token', why: 'a one-time token has to be one that was sent' },
  {
    code: 'validation_failed',
    field: /^(?:password is not your password|code is wrong, or was used already|credential does not answer)/,
    why: 'a password, a code and a credential have to be those of the person who asks',
  },
  { code: 'invalid_signature', why: 'a webhook has to be signed by Stripe' },
  { code: 'payment_declined', why: 'a card has to be one of Stripe’s test cards' },
  { code: 'idempotency_key_reused', why: 'a key that was used before belongs to that request' },
  {
    code: 'validation_failed',
    field:
      /(?: must be after from| days after from| must not be before | overlaps an earlier entry| is listed twice| that of the first option| is needed: prices)/,
    why: 'times, prices and parameters have to fit together, and no schema compares two of them',
  },
  {
    operation: 'POST /api/bookings',
    code: 'validation_failed',
    field: /^(?:subject is not one of the subjects|pricingOptionId is not one of|durationMinutes makes a price)/,
    why: 'what is booked has to be what its tutor offers',
  },
  {
    operation: 'POST /api/auth/register',
    code: 'validation_failed',
    field: /^email must be an e-mail address/,
    why: 'which names after `xn--` stand for a domain, no pattern can say',
  },
  {
    operation: 'POST /api/payments',
    code: 'validation_failed',
    field: /^payeeId is nobody who can be paid/,
    why: 'who is paid has to be a tutor of ours',
  },
];

/** Why a finding is none: undefined where nothing excuses it. */
export function whyKnown({ operation, check, code, fields }: Finding): string | undefined {
  if (check !== 'positive_data_acceptance') return undefined;
  const excuses = (known: Known, field?: string) =>
    (known.operation ?? operation) === operation &&
    known.code === code &&
    (known.field === undefined || (field !== undefined && known.field.test(field)));
  const reasons = (fields.length > 0 ? fields : [undefined]).map(
    (field) => KNOWN.find((known) => excuses(known, field))?.why,
  );
  return reasons.includes(undefined) ? undefined : [...new Set(reasons)].join('; ');
}

const Bytes = z.object({ $base64: z.string() }).transform(({ $base64 }) => Buffer.from($base64, 'base64').toString());
const Interaction = z.object({
  request: z.object({ method: z.string(), uri: z.string(), body: Bytes.nullish() }),
  response: z.object({ status_code: z.int(), content: Bytes.nullish() }).nullish(),
});
const Check = z.object({
  name: z.string(),
  failure_info: z.object({ failure: z.object({ operation: z.string(), message: z.string() }) }).nullish(),
});
const Event = z.record(
  z.string(),
  z.object({
    recorder: z.object({
      checks: z.record(z.string(), z.array(Check)),
      interactions: z.record(z.string(), Interaction),
    }),
  }),
);
const ProblemBody = z.object({
  code: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).default([]),
});

/** What Schemathesis wrote as NDJSON (its report of that name), equal findings as one. */
export function findingsIn(report: string): Finding[] {
  const found = new Map<string, Finding>();
  const lines = report.split('\n').filter((line) => line !== '');
  for (const line of lines) {
    const event = Event.safeParse(JSON.parse(line));
    for (const { recorder } of Object.values(event.data ?? {}))
      for (const [id, checks] of Object.entries(recorder.checks))
        for (const check of checks) {
          const finding = findingOf(check, recorder.interactions[id]);
          if (!finding) continue;
          const { operation, status, code, fields } = finding;
          const key = JSON.stringify([operation, check.name, status, code, fields]);
          const before = found.get(key) ?? finding;
          found.set(key, { ...before, times: before.times + 1 });
        }
  }
  return [...found.values()];
}

function findingOf(
  { name, failure_info: info }: z.output<typeof Check>,
  interaction: z.output<typeof Interaction> | undefined,
): Finding | undefined {
  if (!info) return undefined;
  const { request, response } = interaction ?? {};
  const said = response?.content ?? '';
  const problem = ProblemBody.safeParse(parsed(said));
  return {
    operation: info.failure.operation,
    check: name,
    status: response?.status_code ?? 0,
    code: problem.data?.code ?? (said.slice(0, 200) || info.failure.message),
    fields: problem.data?.errors.map(({ path, message }) => `${path} ${message}`) ?? [],
    example: `${request?.method} ${request?.uri} ${request?.body ?? ''}`.slice(0, 1_000),
    times: 0,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
